"""What one pass has done so far: counted, told, and kept for a restart."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from txregistry.flow.deferred import deferred
from txregistry.flow.turns import Turns
from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.scrub import (
    IScrubMeter,
    ScrubFinding,
    ScrubOptions,
    ScrubOutcome,
    ScrubProgress,
    ScrubReport,
)
from txregistry.spec.digest import Digest
from txregistry.storage.scrub.memory import Row, ScrubMemory
from txregistry.storage.scrub.plan import MAX_NAMED, ScrubPass
from txregistry.storage.scrub.reading import ContentReading, Verdict

#: Seconds after which the position is written again, and progress is told again.
KEEP_SECONDS, TELL_SECONDS = 10.0, 0.5

#: Contents that are dealt with before other work gets its turn.
_PER_TURN = 16

#: Rows that wait to be written at most.
_MAX_ROWS = 1000


@attrs.define(eq=False)
class ScrubRecord:
    """The state of one pass; a pass over some repositories is not kept.

    :param wall: shows the time of day.
    :param clock: measures durations.
    """

    _memory: ScrubMemory
    _meter: IScrubMeter
    _wall: IReactorTime
    _clock: IReactorTime
    _tell: Callable[[ScrubProgress], None]
    _options: ScrubOptions
    _pass: ScrubPass = attrs.field(init=False)
    _turns: Turns = attrs.field(init=False)
    _resumed: bool = False
    _fraction: float = 0.0
    _findings: list[ScrubFinding] = attrs.field(factory=list)
    _new: list[ScrubFinding] = attrs.field(factory=list)
    _rows: list[Row] = attrs.field(factory=list)
    _kept_at: float = 0.0
    _told_at: float = 0.0
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._pass = ScrubPass(self._wall.seconds())
        self._turns = Turns(self._clock, _PER_TURN)
        self._kept_at = self._clock.seconds()

    @property
    def position(self) -> Digest | None:
        """Give the last digest that was dealt with."""
        position = self._pass.position
        return Digest.parse(position) if position else None

    @deferred
    async def begin(self) -> None:
        """Begin a new pass, or resume an interrupted one if that is wanted."""
        if not self._is_kept:
            return
        if self._options.resume:
            found = await self._memory.load()
            if found.current is not None:
                self._pass, self._resumed = found.current, True
                self._findings = list(found.findings)
                return
        await self._memory.begin(self._pass)

    @deferred
    async def turn(self) -> None:
        """Let other work have its turn now and then."""
        await self._turns.take()

    def count(self, size: int) -> None:
        """Count bytes that were read."""
        self._pass = attrs.evolve(self._pass, size=self._pass.size + size)
        self._meter.read(size)
        self._tell_sometimes()

    @deferred
    async def skipped(self, digest: Digest, fraction: float) -> None:
        """Record content that was read lately."""
        self._pass = attrs.evolve(self._pass, skipped=self._pass.skipped + 1)
        await self._passed(digest, fraction)

    @deferred
    async def examined(
        self,
        digest: Digest,
        fraction: float,
        reading: ContentReading,
        finding: ScrubFinding | None,
    ) -> None:
        """Record content that was read."""
        if finding is not None:
            self._found(finding)
        if reading.verdict is not Verdict.CHANGED:
            self._pass = attrs.evolve(self._pass, contents=self._pass.contents + 1)
        if reading.verdict is Verdict.SOUND:
            row = (str(digest), reading.identity, self._wall.seconds())
            self._rows.append(row)
        await self._passed(digest, fraction)

    def unreadable(self, error: DriverError) -> None:
        """Record a directory that cannot be read."""
        self._log.error("cannot be read: {error}", error=str(error))
        self._found(ScrubFinding(error.path, 0, ScrubOutcome.UNREADABLE))

    def missing(self, finding: ScrubFinding) -> None:
        """Record a link to content that is not there, unless it was found before."""
        if all(finding.digest != known.digest for known in self._findings):
            self._found(finding)
        self._tell_sometimes()

    @deferred
    async def complete(self) -> None:
        """End the pass."""
        self._fraction = 1.0
        self._pass = attrs.evolve(self._pass, ended_at=self._wall.seconds())
        if self._is_kept:
            await self._keep()
            before = self._pass.began_at - self._options.skip_seconds
            await self._memory.complete(self._pass, before)
            self._meter.ended(self._pass.ended_at, self._pass.unresolved)
            self._meter.progress(0.0)

    @deferred
    async def interrupt(self) -> None:
        """Keep the position."""
        if self._is_kept:
            await self._keep()

    def report(self, seconds: float) -> ScrubReport:
        """Give the report of a pass that has ended."""
        return self._pass.report(self._findings, self._resumed, seconds)

    @property
    def _is_kept(self) -> bool:
        return not self._options.repositories

    def _found(self, finding: ScrubFinding) -> None:
        self._pass = self._pass.with_finding(finding.outcome)
        self._meter.found(finding.outcome)
        if len(self._findings) < MAX_NAMED:
            self._findings.append(finding)
            self._new.append(finding)

    @deferred
    async def _passed(self, digest: Digest, fraction: float) -> None:
        self._fraction = fraction
        if self._is_kept:
            self._pass = attrs.evolve(self._pass, position=str(digest))
            self._meter.progress(fraction)
            is_old = self._clock.seconds() - self._kept_at >= KEEP_SECONDS
            if is_old or self._new or len(self._rows) >= _MAX_ROWS:
                await self._keep()
        self._tell_sometimes()

    @deferred
    async def _keep(self) -> None:
        self._kept_at = self._clock.seconds()
        new, self._new = self._new, []
        rows, self._rows = self._rows, []
        await self._memory.keep(self._pass, new, rows)

    def _tell_sometimes(self) -> None:
        now = self._clock.seconds()
        if now - self._told_at >= TELL_SECONDS:
            self._told_at = now
            self._tell(self._pass.progress(self._fraction))
