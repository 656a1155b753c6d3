"""When to scrub, how far a pass has come, and at which rate it reads (pure)."""

from __future__ import annotations

import attrs

from txregistry.interfaces.scrub import (
    ScrubFinding,
    ScrubOutcome,
    ScrubProgress,
    ScrubReport,
)
from txregistry.spec.digest import Digest
from txregistry.storage.tree import layout

#: Bytes that each content counts at least: finding a file costs the disk as much.
LEAST_BYTES = 64 * 1024

#: Seconds of reading that may be made up for at once after a wait.
_BURST_SECONDS = 0.5

#: Findings that a report names at most.
MAX_NAMED = 1000


@attrs.frozen
class ScrubPass:
    """One pass over all content, in the order of digests.

    :ivar began_at: seconds since the epoch.
    :ivar ended_at: likewise; 0 while it is not complete.
    :ivar position: the last digest that was dealt with, as text; empty at the start.
    :ivar size: bytes that were read.
    """

    began_at: float
    ended_at: float = 0.0
    position: str = ""
    contents: int = 0
    size: int = 0
    skipped: int = 0
    damaged: int = 0
    healed: int = 0
    unreadable: int = 0
    missing: int = 0

    def with_finding(self, outcome: ScrubOutcome) -> ScrubPass:
        """Count a finding."""
        if outcome is ScrubOutcome.UNREADABLE:
            return attrs.evolve(self, unreadable=self.unreadable + 1)
        if outcome is ScrubOutcome.MISSING:
            return attrs.evolve(self, missing=self.missing + 1)
        healed = self.healed + (outcome is ScrubOutcome.HEALED)
        return attrs.evolve(self, damaged=self.damaged + 1, healed=healed)

    @property
    def unresolved(self) -> int:
        """Count the findings that were not healed."""
        return self.damaged - self.healed + self.unreadable + self.missing

    def progress(self, fraction: float) -> ScrubProgress:
        """Say how far it has come."""
        return ScrubProgress(fraction, self.contents, self.size, self.damaged)

    def report(
        self, findings: list[ScrubFinding], resumed: bool, seconds: float
    ) -> ScrubReport:
        """Say what it has found."""
        return ScrubReport(
            bool(self.ended_at),
            resumed,
            seconds,
            self.contents,
            self.size,
            self.skipped,
            self.damaged,
            self.healed,
            self.unreadable,
            self.missing,
            findings[:MAX_NAMED],
        )


def seconds_until_due(last: ScrubPass | None, interval: float, now: float) -> float:
    """Give the seconds until the next pass should begin; 0 for now.

    :param last: the last complete pass.
    :param interval: seconds from the begin of one pass to that of the next.
    :param now: seconds since the epoch. A pass that lies in the future tells that the
        clock was wrong, and does not count.
    """
    if last is None or last.began_at > now:
        return 0.0
    return max(0.0, last.began_at + interval - now)


def is_behind(path: str, position: Digest | None) -> bool:
    """Tell whether a path of the content, with all below it, was dealt with."""
    if position is None:
        return False
    reached = layout.blob(position).split("/")
    parts = path.split("/")[: len(reached)]
    return parts < reached[: len(parts)] or parts == reached


def fraction_of(digest: Digest) -> float:
    """Give the part of all content that comes before a digest, from 0 to 1.

    Digests are spread evenly, so nothing has to be counted first. Content of other
    algorithms comes last, and there is little.
    """
    if digest.algorithm != "sha256":
        return 1.0
    return int(digest.hex[:8], 16) / 0x1_0000_0000


@attrs.define(eq=False)
class TokenBucket:
    """A token bucket of bytes; a large piece makes a debt that is waited off.

    :param rate: bytes per second; 0 for no limit.
    :param at: the time of the start, in seconds of any clock that only goes forward.
    """

    _rate: float
    _at: float
    _level: float = 0.0

    def spend(self, size: int, now: float) -> float:
        """Count bytes that were read; give the seconds to wait before the next."""
        if not self._rate:
            return 0.0
        gained = (now - self._at) * self._rate
        most = self._rate * _BURST_SECONDS
        self._level = min(most, self._level + gained) - size
        self._at = now
        return max(0.0, -self._level / self._rate)
