"""Scrub a store: read all content, one file at a time, and find what is damaged.

Note [Scrubbing]. A disk can lose bits without an error, and without a trace in the
times of a file; so a scrub believes nothing that was recorded, and reads. It takes no
lease and no lock while it reads: a file that is deleted stays readable while it is
open, and one that is replaced has another identity, which is checked under the lock of
the digest before anything is moved. Partial blobs and uploads are not content yet and
are left alone. The position in the order of digests is kept every few seconds; what was
written behind it during a pass was verified when it was written.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import attrs
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.interfaces.driver import IStorageDriver, PathNotFound
from txregistry.interfaces.scrub import (
    IHealer,
    IScrubber,
    IScrubMeter,
    ScrubOptions,
    ScrubProgress,
    ScrubRefused,
    ScrubReport,
)
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName
from txregistry.storage.content.store import Content
from txregistry.storage.scrub.dangling import dangling_links
from txregistry.storage.scrub.examiner import Examiner
from txregistry.storage.scrub.holders import Holders
from txregistry.storage.scrub.memory import Remembered, ScrubMemory
from txregistry.storage.scrub.order import all_content, content_of
from txregistry.storage.scrub.plan import TokenBucket, fraction_of
from txregistry.storage.scrub.reading import PacedReader
from txregistry.storage.scrub.record import ScrubRecord
from txregistry.storage.tree import layout

Tell = Callable[[ScrubProgress], None]


@implementer(IScrubber)
@attrs.define(eq=False)
class Scrubber:
    """Scrubs one store; one pass at a time. See Note [Scrubbing].

    :param healer: of a cache; ``None`` where there is no other copy.
    :param is_local: tells whose links are looked at; see :func:`dangling_links`.
    :param wall: shows the time of day.
    :param clock: measures durations.
    """

    _driver: IStorageDriver
    _content: Content
    _memory: ScrubMemory
    _holders: Holders
    _healer: IHealer | None
    _meter: IScrubMeter
    _wall: IReactorTime
    _clock: IReactorTime
    _is_local: Callable[[RepositoryName], bool] | None = None
    _busy: bool = False
    _log = Logger()

    @deferred
    async def remembered(self) -> Remembered:
        """Fire with the passes that are known."""
        return await self._memory.load()

    @deferred
    async def scrub(self, options: ScrubOptions, tell: Tell) -> ScrubReport:
        """Make one pass; see :class:`IScrubber`."""
        if self._busy:
            raise ScrubRefused("a scrub is under way already")
        self._busy = True
        try:
            for name in options.repositories:
                await self._check(name)
            return await self._make_pass(options, tell)
        finally:
            self._busy = False

    @deferred
    async def _check(self, name: RepositoryName) -> None:
        try:
            await self._driver.stat(path=layout.repository(name))
        except PathNotFound as error:
            raise ScrubRefused(f"there is no repository {name}") from error

    @deferred
    async def _make_pass(self, options: ScrubOptions, tell: Tell) -> ScrubReport:
        record = ScrubRecord(
            self._memory, self._meter, self._wall, self._clock, tell, options
        )
        began = self._clock.seconds()
        try:
            await record.begin()
            await self._read(options, record)
            if options.links:
                await self._look_at_links(options, record)
            await record.complete()
        except CancelledError:
            await record.interrupt()
        except BaseException:
            await record.interrupt()
            raise
        report = record.report(self._clock.seconds() - began)
        self._log_end(report)
        return report

    @deferred
    async def _read(self, options: ScrubOptions, record: ScrubRecord) -> None:
        pace = TokenBucket(options.rate, self._clock.seconds())
        examiner = Examiner(
            self._driver,
            self._content,
            PacedReader(self._driver, self._clock, pace, record.count),
            self._holders,
            self._healer,
        )
        async for digest, fraction in self._order(options, record):
            await record.turn()
            if await self._was_read(digest, options):
                await record.skipped(digest, fraction)
                continue
            reading, finding = await examiner.examine(digest)
            await record.examined(digest, fraction, reading, finding)

    async def _order(
        self, options: ScrubOptions, record: ScrubRecord
    ) -> AsyncIterator[tuple[Digest, float]]:
        """Visit what is to be read, with how far that is."""
        if not options.repositories:
            async for digest in all_content(
                self._driver, record.position, record.unreadable
            ):
                yield digest, fraction_of(digest)
            return
        wanted = await content_of(self._driver, options.repositories, record.unreadable)
        for index, digest in enumerate(wanted):
            yield digest, index / len(wanted)

    @deferred
    async def _was_read(self, digest: Digest, options: ScrubOptions) -> bool:
        if not options.skip_seconds:
            return False
        try:
            found = await self._driver.stat(path=layout.blob_data(digest))
        except PathNotFound:
            return False
        at = await self._memory.read_at(digest, found.identity)
        return 0 <= self._wall.seconds() - at < options.skip_seconds

    @deferred
    async def _look_at_links(self, options: ScrubOptions, record: ScrubRecord) -> None:
        found = dangling_links(
            self._driver, options.repositories, record.unreadable, self._is_local
        )
        async for finding in found:
            await record.turn()
            record.missing(finding)

    def _log_end(self, report: ScrubReport) -> None:
        self._log.info(
            "scrub {how}: {contents} contents of {size} bytes read, {damaged} damaged,"
            " {healed} of them healed, {unreadable} cannot be read",
            how="complete" if report.complete else "interrupted",
            contents=report.contents,
            size=report.size,
            damaged=report.damaged,
            healed=report.healed,
            unreadable=report.unreadable,
        )
