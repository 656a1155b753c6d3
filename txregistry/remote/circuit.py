"""Circuit breakers: when is something asked at all that has failed (pure)."""

from __future__ import annotations

from collections.abc import Hashable
from enum import Enum

import attrs

from txregistry.flow.lru import Lru


class CircuitVerdict(Enum):
    """What to do with a question."""

    ASK = "ask"
    PROBE = "probe"
    REFUSE = "refuse"


@attrs.define
class Circuit:
    """Opens after some failures in a row, then lets one probe through at a time.

    :param opens_by_probe: failures alone do not open it; they only ask for a probe,
        and that has to fail as well.
    :param threshold: failures in a row that count.
    :param open_seconds: for how long it opens; doubled by each failed probe up to
        ``max_open_seconds``.
    """

    _opens_by_probe: bool = False
    _threshold: int = 5
    _open_seconds: float = 5.0
    _max_open_seconds: float = 60.0
    _failures: int = 0
    _opened_at: float | None = None
    _wait: float = 0.0
    _probing: bool = False

    def judge(self, now: float) -> CircuitVerdict:
        """Decide on a question; the end of a probe must be reported."""
        if self._failures < self._threshold:
            return CircuitVerdict.ASK
        if self._opened_at is None:
            return CircuitVerdict.PROBE
        if self._probing or now - self._opened_at < self._wait:
            return CircuitVerdict.REFUSE
        self._probing = True
        return CircuitVerdict.PROBE

    def retry_after(self, now: float) -> float:
        """Give the seconds until the next probe."""
        if self._opened_at is None:
            return 0.0
        return max(1.0, self._opened_at + self._wait - now)

    def succeeded(self) -> None:
        """Record an answer of any kind that shows it to be well."""
        self._failures = 0
        self._opened_at = None
        self._wait = 0.0
        self._probing = False

    def failed(self, now: float, weight: int = 1) -> None:
        """Record that a question has failed.

        :param weight: for how many failures it counts.
        """
        self._failures += weight
        if not self._opens_by_probe and self._failures >= self._threshold:
            self.probe_failed(now)

    def probe_failed(self, now: float) -> None:
        """Record that a probe has failed as well: leave it alone for a while."""
        wait = self._wait * 2 if self._probing else self._open_seconds
        self._wait = min(self._max_open_seconds, wait)
        self._opened_at = now
        self._probing = False

    def abandoned(self) -> None:
        """Record that a question was withdrawn before it was answered."""
        self._probing = False


@attrs.define(eq=False)
class Circuits:
    """The circuits of many things; only those that have failed take memory.

    :param max_entries: how many are kept; the least recently used is evicted first.
    """

    _max_entries: int = 1000
    _circuits: Lru[Hashable, Circuit] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._circuits = Lru(self._max_entries)

    def judge(self, key: Hashable, now: float) -> CircuitVerdict:
        """Decide on a question; see :meth:`Circuit.judge`."""
        found = self._circuits.peek(key)
        return CircuitVerdict.ASK if found is None else found.judge(now)

    def retry_after(self, key: Hashable, now: float) -> float:
        """Give the seconds until the next probe."""
        found = self._circuits.peek(key)
        return 0.0 if found is None else found.retry_after(now)

    def succeeded(self, key: Hashable) -> None:
        """Record that something is well."""
        self._circuits.pop(key)

    def failed(self, key: Hashable, now: float) -> None:
        """Record that something has failed."""
        circuit = self._circuits.get(key)
        if circuit is None:
            circuit = Circuit()
            self._circuits.put(key, circuit)
        circuit.failed(now)

    def abandoned(self, key: Hashable) -> None:
        """Record that a question was withdrawn."""
        if (found := self._circuits.peek(key)) is not None:
            found.abandoned()
