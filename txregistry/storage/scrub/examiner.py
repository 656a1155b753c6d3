"""Read one content, and deal with it if it is damaged."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from twisted.logger import Logger

from txregistry.flow.deferred import deferred
from txregistry.interfaces.driver import IStorageDriver, PathNotFound
from txregistry.interfaces.scrub import Holder, IHealer, ScrubFinding, ScrubOutcome
from txregistry.spec.digest import Digest
from txregistry.storage.content.store import Content
from txregistry.storage.scrub.holders import Holders
from txregistry.storage.scrub.reading import ContentReading, PacedReader, Verdict
from txregistry.storage.tree import layout

#: Repositories that a finding names at most.
_MAX_HOLDERS = 10

#: Seconds after which content is read again that the disk did not give.
LOST_SECONDS = 10.0


@attrs.define(eq=False)
class Examiner:
    """Sets damaged content aside, and has it fetched again.

    :param healer: of a cache; ``None`` where there is no other copy.
    """

    _driver: IStorageDriver
    _content: Content
    _reader: PacedReader
    _holders: Holders
    _healer: IHealer | None
    _log = Logger()

    @deferred
    async def examine(
        self, digest: Digest
    ) -> tuple[ContentReading, ScrubFinding | None]:
        """Read content; fire with the result, and what is wrong with it if anything."""
        reading = await self._reader.read(digest)
        if reading.verdict in (Verdict.DAMAGED, Verdict.LOST):
            reading = await self._read_again(digest, reading)
        if reading.verdict is Verdict.SOUND:
            await self._content.integrity.confirm(
                digest, reading.identity, reading.size
            )
        elif reading.verdict is Verdict.UNREADABLE:
            return reading, await self._unreadable(digest, reading)
        elif reading.verdict in (Verdict.DAMAGED, Verdict.LOST):
            return reading, await self._damaged(digest, reading)
        return reading, None

    @deferred
    async def _read_again(
        self, digest: Digest, before: ContentReading
    ) -> ContentReading:
        """Read damaged content once more: it may be memory that failed, or a cable."""
        is_lost = before.verdict is Verdict.LOST
        if is_lost:
            await self._reader.wait(LOST_SECONDS)
            if not await self._content.damage.storage_answers():
                # The whole disk is gone, which says nothing about the content.
                return attrs.evolve(before, verdict=Verdict.UNREADABLE)
        reading = await self._reader.read(digest)
        if reading.verdict is Verdict.SOUND:
            self._log.warn(
                "{digest} {failed} when it was read, and is good now: the memory or the"
                " disk of this machine may be failing",
                digest=str(digest),
                failed="failed" if is_lost else "did not match",
            )
        return reading

    @deferred
    async def _unreadable(
        self, digest: Digest, reading: ContentReading
    ) -> ScrubFinding:
        names = _names(await self._holders.find(digest))
        self._log.error(
            "content {digest} of {size} bytes cannot be read and is left where it is:"
            " {error}{linked}",
            digest=str(digest),
            size=reading.size,
            error=reading.reason,
            linked=f"; linked by {', '.join(names)}" if names else "",
        )
        return ScrubFinding(str(digest), reading.size, ScrubOutcome.UNREADABLE, names)

    @deferred
    async def _damaged(
        self, digest: Digest, reading: ContentReading
    ) -> ScrubFinding | None:
        holders = await self._holders.find(digest)
        names = _names(holders)
        damage = self._content.damage
        outcome = ScrubOutcome.SET_ASIDE
        if not await damage.set_aside(digest, reading.identity, names, reading.reason):
            if not await self._is_there(digest, reading.identity):
                return None  # deleted, or replaced by a push or a fill
            outcome = ScrubOutcome.STUCK
        elif await self._heal(digest, holders):
            outcome = ScrubOutcome.HEALED
        return ScrubFinding(str(digest), reading.size, outcome, names)

    @deferred
    async def _is_there(self, digest: Digest, identity: str) -> bool:
        try:
            found = await self._driver.stat(path=layout.blob_data(digest))
        except PathNotFound:
            return False
        return found.identity == identity

    @deferred
    async def _heal(self, digest: Digest, holders: Sequence[Holder]) -> bool:
        if self._healer is None or not holders:
            return False
        return await self._healer.heal(digest=digest, holders=holders)


def _names(holders: Sequence[Holder]) -> tuple[str, ...]:
    return tuple(sorted({str(item.repository) for item in holders})[:_MAX_HOLDERS])
