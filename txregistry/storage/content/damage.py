"""Set damaged content aside, where the operator can inspect it.

Note [Lost content]. What the disk does not give (a bad sector, a checksum of the file
system) is damaged like content that does not match. To move a file reads none of its
content, so it is set aside as well: a cache then fetches it again, a registry answers
404 until it is pushed again, and nobody waits for that sector, or is cut off at it. It
is read twice before, as a cable may be loose; and where the whole disk is gone nothing
can be moved, so that what it has is there when it is back. Between the two a file is
written: a file server that was away (NFS, mounted soft) fails a read after a minute,
and would take the move as soon as it is back.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from math import isfinite

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from txregistry.flow.context import in_context
from txregistry.flow.deferred import deferred
from txregistry.flow.keyed_locks import KeyedLocks
from txregistry.interfaces.driver import (
    DriverError,
    FileStat,
    IPruner,
    IStorageDriver,
    PathNotFound,
    lost_by_disk,
)
from txregistry.interfaces.observe import Count, IMeter
from txregistry.spec.digest import HEX_LENGTHS, Digest
from txregistry.storage.caches.local import Caches
from txregistry.storage.content.integrity import Integrity
from txregistry.storage.tree import layout
from txregistry.storage.tree.probe import probe

#: Damaged files that could not be moved; each is logged once.
_MAX_TOLD = 1000

#: Fires with whether what was set aside of a digest stays.
IsSpared = Callable[[Digest], Deferred[bool]]


@attrs.define(eq=False)
class Damage:
    """Moves content that does not match its digest out of the way.

    :param locks: of digests; see :class:`Content`.
    """

    _driver: IStorageDriver
    _caches: Caches
    _integrity: Integrity
    _locks: KeyedLocks[Digest]
    _meter: IMeter
    _clock: IReactorTime
    _told: set[tuple[Digest, str]] = attrs.field(factory=set)
    _looking: set[Digest] = attrs.field(factory=set)
    _log = Logger()

    def report(self, digest: Digest, identity: str | None = None) -> None:
        """Set content aside, in the background.

        :param identity: of the damaged file. If unknown, the content is read once more.
        """
        done = self.set_aside(digest, identity)
        done.addErrback(in_context(self._not_set_aside), digest)

    def report_lost(self, digest: Digest, identity: str) -> None:
        """Read content again that the disk did not give, in the background.

        It is set aside if the disk does not give it again; see Note [Lost content].
        """
        if digest not in self._looking:
            self._looking.add(digest)
            done = self._look_again(digest, identity)
            done.addErrback(in_context(self._not_set_aside), digest)

    @deferred
    async def _look_again(self, digest: Digest, identity: str) -> None:
        try:
            if not await self.storage_answers():
                return
            is_sound = await self._integrity.reread(digest, identity)
        except Exception as error:
            if not lost_by_disk(error):
                raise
            await self.set_aside(digest, identity, lost=str(error))
        else:
            if is_sound is False:
                await self.set_aside(digest, identity)
        finally:
            self._looking.discard(digest)

    @deferred
    async def storage_answers(self) -> bool:
        """Wait until the storage takes a file; see Note [Lost content].

        :return: fires with whether it does. One that is full answers.
        """
        try:
            await probe(self._driver)
        except DriverError as error:
            return not lost_by_disk(error)
        return True

    def set_aside(
        self,
        digest: Digest,
        identity: str | None,
        holders: Sequence[str] = (),
        lost: str = "",
    ) -> Deferred[bool]:
        """Set content aside under its lock; what was known of it no longer counts.

        :param identity: of the damaged file: a file that has replaced it stays. If
            unknown, the content is read once more.
        :param holders: repositories that link it, for the log.
        :param lost: why it cannot be read, for the log.
        :return: fires with whether it is out of the way; not if the storage refuses.
        """
        return self._locks.run(
            digest, lambda: self._set_aside(digest, identity, holders, lost)
        )

    @deferred
    async def digests(self) -> set[Digest]:
        """Fire with the digests of content that is set aside."""
        found = set()
        for algorithm in HEX_LENGTHS:
            for path in await self._kept(algorithm):
                found.add(_digest_of(algorithm, path))
        return found

    @deferred
    async def purge(self, before: float, is_spared: IsSpared) -> None:
        """Delete what was set aside before a time, in seconds since the epoch.

        :param is_spared: is asked of each digest; fails as the ledger does.
        """
        for algorithm in HEX_LENGTHS:
            for path in await self._kept(algorithm):
                if layout.damaged_at(path) >= before:
                    continue
                if not await is_spared(_digest_of(algorithm, path)):
                    await self._driver.delete(path=path, durable=False)

    @deferred
    async def _kept(self, algorithm: str) -> list[str]:
        try:
            paths = await self._driver.list(path=f"{layout.DAMAGED}/{algorithm}")
        except PathNotFound:
            return []
        return [path for path in paths if isfinite(layout.damaged_at(path))]

    @deferred
    async def _set_aside(
        self, digest: Digest, identity: str | None, holders: Sequence[str], lost: str
    ) -> bool:
        try:
            found = await self._driver.stat(path=layout.blob_data(digest))
        except PathNotFound:
            return False
        if identity is None:
            if await self._integrity.verify(digest, found.identity) is not False:
                return False
        elif found.identity != identity:
            return False
        self._integrity.condemn(digest, found.identity)
        await self._caches.forget(digest)
        return await self._move(digest, found, holders, lost)

    @deferred
    async def _move(
        self, digest: Digest, found: FileStat, holders: Sequence[str], lost: str
    ) -> bool:
        path, aside = layout.blob_data(digest), self._place(digest)
        try:
            await self._driver.move(source=path, destination=aside)
        except PathNotFound:
            return True  # another process was faster
        except DriverError as error:
            self._tell_once(digest, found.identity, lost, error)
            return False
        self._meter.count(Count.DAMAGED, "blob")
        self._log.error(
            "content of {size} bytes {what} {digest}{lost}: it is set aside as"
            " {aside}{linked}",
            digest=str(digest),
            size=found.size,
            **_what(lost),
            aside=aside,
            linked=f"; linked by {', '.join(holders)}" if holders else "",
        )
        await self._tidy(path)
        return True

    @deferred
    async def _tidy(self, path: str) -> None:
        if IPruner.providedBy(self._driver):
            directory = posixpath.dirname(path)
            await IPruner(self._driver).prune(path=directory, stop=layout.BLOBS)

    def _place(self, digest: Digest) -> str:
        return layout.damaged(digest, int(self._clock.seconds()))

    def _tell_once(
        self, digest: Digest, identity: str, lost: str, error: DriverError
    ) -> None:
        if (digest, identity) in self._told:
            return
        if len(self._told) >= _MAX_TOLD:
            self._told.clear()
        self._told.add((digest, identity))
        self._meter.count(Count.DAMAGED, "blob")
        self._log.error(
            "content {what} {digest}{lost} and is not served, but cannot be set aside:"
            " {error}",
            digest=str(digest),
            **_what(lost),
            error=str(error),
        )

    def _not_set_aside(self, failure: Failure, digest: Digest) -> None:
        self._log.failure(
            "cannot look at damaged content {digest}", failure, digest=str(digest)
        )


def _digest_of(algorithm: str, path: str) -> Digest:
    return Digest(algorithm, posixpath.basename(path).partition(".")[0])


def _what(lost: str) -> dict[str, str]:
    """Say what is wrong, for the log (pure)."""
    if lost:
        return {"what": "cannot be read:", "lost": f" ({lost})"}
    return {"what": "does not match its digest", "lost": ""}
