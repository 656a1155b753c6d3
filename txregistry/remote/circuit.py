"""A circuit breaker: when is an upstream asked at all (pure)."""

from __future__ import annotations

import attrs


@attrs.define
class Circuit:
    """Opens after some failures in a row, then lets one probe through at a time.

    :param threshold: failures in a row that open it.
    :param open_seconds: for how long; doubled by each failed probe up to
        ``most_seconds``.
    """

    _threshold: int = 5
    _open_seconds: float = 5.0
    _most_seconds: float = 60.0
    _failures: int = 0
    _opened_at: float | None = None
    _wait: float = 0.0
    _probing: bool = False

    def admits(self, now: float) -> bool:
        """Decide whether to ask; a probe that is admitted must be reported on."""
        if self._opened_at is None:
            return True
        # A clock that was set back must not keep it open.
        due = not 0 <= now - self._opened_at < self._wait
        if due and not self._probing:
            self._probing = True
            return True
        return False

    def retry_after(self, now: float) -> float:
        """Give the seconds until the next probe."""
        if self._opened_at is None:
            return 0.0
        return max(1.0, self._opened_at + self._wait - now)

    def succeeded(self) -> None:
        """Record an answer of any kind that shows the upstream to be well."""
        self._failures = 0
        self._opened_at = None
        self._wait = 0.0
        self._probing = False

    def failed(self, now: float) -> None:
        """Record an outage."""
        self._failures += 1
        if self._opened_at is not None or self._failures >= self._threshold:
            wait = self._wait * 2 if self._probing else self._open_seconds
            self._wait = min(self._most_seconds, wait)
            self._opened_at = now
        self._probing = False

    def abandoned(self) -> None:
        """Record that a question was withdrawn before it was answered."""
        self._probing = False
