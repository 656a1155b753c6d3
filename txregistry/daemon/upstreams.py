"""Tell of upstreams whose repositories were stored as somebody else's.

A repository of an upstream is stored under the upstream's key. The default upstream, or
an earlier configuration, may have stored others there: nothing in the tree tells them
apart. So the keys are kept in a file, and one that comes or goes is told of if such
repositories exist.
"""

from __future__ import annotations

import json
from collections.abc import Collection

import attrs
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from txregistry.flow.context import background
from txregistry.flow.deferred import deferred
from txregistry.interfaces.driver import DriverError, IStorageDriver, PathNotFound
from txregistry.storage.tree import layout

_PATH = f"{layout.OWN}/upstreams.json"


@attrs.define(eq=False, slots=False)
class UpstreamKeys(Service):
    """Compares the keys of ``proxy.upstreams`` with those of the last time.

    :param has_default: there is an upstream for names that name no other.
    """

    _driver: IStorageDriver
    _keys: frozenset[str]
    _has_default: bool
    _looking: Deferred[None] | None = None
    _log = Logger()

    def startService(self) -> None:
        """Compare them; the start does not wait for it."""
        super().startService()
        self._look()

    @deferred
    async def stopService(self) -> None:
        """Stop comparing."""
        super().stopService()
        if self._looking is not None:
            self._looking.cancel()

    def follow(self, keys: Collection[str], has_default: bool) -> None:
        """Compare other keys."""
        changed = frozenset(keys), has_default
        if changed != (self._keys, self._has_default):
            self._keys, self._has_default = changed
            self._look()

    def _look(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
        self._looking = self._compare(self._keys)

    @background("upstreams")
    @deferred
    async def _compare(self, keys: frozenset[str]) -> None:
        try:
            known = await self._known()
            if keys == known:
                return
            for key in sorted(keys ^ known):
                if await self._has_repositories(key):
                    self._tell(key, key in keys)
            document = json.dumps(sorted(keys)).encode("utf-8")
            await self._driver.put(path=_PATH, content=document)
        except CancelledError:
            return
        except DriverError as error:
            self._log.warn(
                "whether repositories are stored as another upstream's is not known:"
                " {error}",
                error=str(error),
            )

    @deferred
    async def _known(self) -> frozenset[str]:
        try:
            found = json.loads(await self._driver.get(path=_PATH))
        except (PathNotFound, ValueError):
            return frozenset()
        return frozenset(map(str, found)) if isinstance(found, list) else frozenset()

    @deferred
    async def _has_repositories(self, key: str) -> bool:
        try:
            found = await self._driver.list(path=f"{layout.REPOSITORIES}/{key}")
        except PathNotFound:
            return False
        return bool(found)

    def _tell(self, key: str, is_new: bool) -> None:
        directory = f"{layout.REPOSITORIES}/{key}"
        if is_new:
            self._log.warn(
                "{directory} was stored before proxy.upstreams.{key} was configured,"
                " and is served as that upstream's from now on; if it is not, delete"
                " it or choose another key",
                directory=directory,
                key=key,
            )
        elif self._has_default:
            self._log.warn(
                "{directory} was stored of proxy.upstreams.{key}, which is configured"
                " no longer; it is the default upstream's from now on, until it is"
                " deleted or expires",
                directory=directory,
                key=key,
            )
