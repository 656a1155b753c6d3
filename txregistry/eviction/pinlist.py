"""Images that an administrator has pinned, in a file of the storage.

Not in the ledger: that can be made anew from the tree, and this cannot. Where several
nodes use one storage they share the file; each reads it when it looks at its pins.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import attrs
from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.interfaces.driver import IStorageDriver, PathNotFound
from txregistry.interfaces.eviction import IPinList
from txregistry.spec.images import ImagePattern
from txregistry.spec.nesting import read_json


def _nobody() -> None:
    """Tell nobody."""


@implementer(IPinList)
@attrs.define(eq=False)
class PinList:
    """A JSON list of patterns.

    :param path: of the file on the driver.
    :ivar changed: is called after each change.
    """

    _driver: IStorageDriver
    _path: str
    changed: Callable[[], None] = _nobody
    _turn: DeferredLock = attrs.field(factory=DeferredLock)
    _log = Logger()

    @deferred
    async def patterns(self) -> Sequence[str]:
        """Fire with all patterns; a file that is none of ours is set aside."""
        try:
            content = await self._driver.get(path=self._path)
        except PathNotFound:
            return ()
        try:
            return _read(content)
        except ValueError as error:
            self._log.warn(
                "{path} has no pins and is set aside: {error}",
                path=self._path,
                error=str(error),
            )
            await self._driver.move(
                source=self._path, destination=f"{self._path}.corrupt"
            )
            return ()

    def pin(self, pattern: str) -> Deferred[bool]:
        """Keep the images of a pattern."""
        return self._turn.run(lambda: self._change(pattern, is_wanted=True))

    def unpin(self, pattern: str) -> Deferred[bool]:
        """Keep them no more for this pattern."""
        return self._turn.run(lambda: self._change(pattern, is_wanted=False))

    @deferred
    async def _change(self, pattern: str, is_wanted: bool) -> bool:
        ImagePattern.parse(pattern)
        before = set(await self.patterns())
        after = before | {pattern} if is_wanted else before - {pattern}
        if after == before:
            return False
        content = json.dumps(sorted(after)).encode("utf-8")
        await self._driver.put(path=self._path, content=content)
        self.changed()
        return True


def _read(content: bytes) -> Sequence[str]:
    """Read patterns, sorted.

    :raise ValueError: it is no list of patterns.
    """
    found = read_json(content)
    if not isinstance(found, list):
        raise ValueError("expected a JSON list")
    return tuple(sorted({str(ImagePattern.parse(str(text))) for text in found}))
