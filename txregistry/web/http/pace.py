"""How fast a body comes: a client that sends a byte now and then is not waited for."""

from __future__ import annotations

import attrs

#: What comes is counted over so many seconds, so that a pause of the network is none of
#: the client.
PERIOD_SECONDS = 60.0


@attrs.define(eq=False)
class Pace:
    """Counts what comes while the client is let send; it begins held back.

    :param min_rate: bytes per second, framing included; 0 for any.
    :param paused_at: now.
    """

    _min_rate: float
    _paused_at: float | None
    _began_at: float = attrs.field(init=False)
    _bytes: int = 0

    def __attrs_post_init__(self) -> None:
        self._began_at = self._paused_at or 0.0

    def pause(self, now: float) -> None:
        """Count no time: it is us who are slow."""
        if self._paused_at is None:
            self._paused_at = now

    def resume(self, now: float) -> None:
        """Count time again."""
        if self._paused_at is not None:
            self._began_at += now - self._paused_at
            self._paused_at = None

    def count(self, size: int) -> None:
        """Count what has come."""
        self._bytes += size

    def is_slow(self, now: float) -> bool:
        """Tell whether too little came in the last period, if that has passed."""
        passed = now - self._began_at
        if self._paused_at is not None or passed < PERIOD_SECONDS:
            return False
        came, self._bytes, self._began_at = self._bytes, 0, now
        return came < self._min_rate * passed
