"""The state of circuit breakers: whether a request is sent after failures (pure)."""

from __future__ import annotations

from collections.abc import Hashable
from enum import Enum

import attrs

from txregistry.flow.lru import Lru


class CircuitVerdict(Enum):
    """What to do with a request: send it, send a probe first, or refuse it."""

    ASK = "ask"
    PROBE = "probe"
    REFUSE = "refuse"


@attrs.define
class Circuit:
    """Opens after several failures in a row; then permits one probe at a time.

    :param opens_by_probe: it opens only when a probe fails after the failures.
    :param threshold: the number of failures in a row.
    :param open_seconds: how long it stays open; each failed probe doubles that, up to
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
        """Decide what to do with a request.

        After ``PROBE``, the caller must call :meth:`succeeded`, :meth:`failed`,
        :meth:`probe_failed` or :meth:`abandoned`.

        :param now: in seconds, as in the other methods.
        """
        if self._failures < self._threshold:
            return CircuitVerdict.ASK
        if self._opened_at is None:
            return CircuitVerdict.PROBE
        if self._probing or now - self._opened_at < self._wait:
            return CircuitVerdict.REFUSE
        self._probing = True
        return CircuitVerdict.PROBE

    def retry_after(self, now: float) -> float:
        """Return the seconds until the next probe, at least 1; 0 if it is closed."""
        if self._opened_at is None:
            return 0.0
        return max(1.0, self._opened_at + self._wait - now)

    @property
    def has_failed(self) -> bool:
        """Tell whether the last request failed."""
        return self._failures > 0

    def succeeded(self) -> None:
        """Record a success: close the circuit."""
        self._failures = 0
        self._opened_at = None
        self._wait = 0.0
        self._probing = False

    def failed(self, now: float, weight: int = 1) -> None:
        """Record a failed request.

        :param weight: how many failures it counts for.
        """
        self._failures += weight
        if not self._opens_by_probe and self._failures >= self._threshold:
            self.probe_failed(now)

    def probe_failed(self, now: float) -> None:
        """Record a failed probe: open the circuit."""
        wait = self._wait * 2 if self._probing else self._open_seconds
        self._wait = min(self._max_open_seconds, wait)
        self._opened_at = now
        self._probing = False

    def abandoned(self) -> None:
        """Record that a request ended without a result."""
        self._probing = False


@attrs.define(eq=False)
class Circuits:
    """Circuits by key; only those that have failed take memory.

    :param max_entries: how many are kept; the least recently used is evicted first.
    """

    _max_entries: int = 1000
    _circuits: Lru[Hashable, Circuit] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._circuits = Lru(self._max_entries)

    def judge(self, key: Hashable, now: float) -> CircuitVerdict:
        """Decide what to do with a request; see :meth:`Circuit.judge`."""
        found = self._circuits.peek(key)
        return CircuitVerdict.ASK if found is None else found.judge(now)

    def retry_after(self, key: Hashable, now: float) -> float:
        """Return the seconds until the next probe; see :meth:`Circuit.retry_after`."""
        found = self._circuits.peek(key)
        return 0.0 if found is None else found.retry_after(now)

    def succeeded(self, key: Hashable) -> None:
        """Record a success."""
        self._circuits.pop(key)

    def failed(self, key: Hashable, now: float) -> None:
        """Record a failed request."""
        circuit = self._circuits.get(key)
        if circuit is None:
            circuit = Circuit()
            self._circuits.put(key, circuit)
        circuit.failed(now)

    def abandoned(self, key: Hashable) -> None:
        """Record that a request ended without a result."""
        if (found := self._circuits.peek(key)) is not None:
            found.abandoned()
