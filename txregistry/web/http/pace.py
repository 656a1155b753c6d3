"""The rate at which a body arrives: a client that is too slow is disconnected."""

from __future__ import annotations

import attrs

#: Seconds over which the rate is measured: long enough to ignore short outages.
PERIOD_SECONDS = 60.0


@attrs.define(eq=False)
class Pace:
    """Measures the rate of a body while it is being read; starts paused.

    :param min_rate: bytes per second, framing included; 0 for no minimum.
    :param paused_at: the current time, in seconds.
    """

    _min_rate: float
    _paused_at: float | None
    _began_at: float = attrs.field(init=False)
    _bytes: int = 0

    def __attrs_post_init__(self) -> None:
        self._began_at = self._paused_at or 0.0

    def pause(self, now: float) -> None:
        """Stop the clock: reading is paused, so the client cannot send."""
        if self._paused_at is None:
            self._paused_at = now

    def resume(self, now: float) -> None:
        """Start the clock again."""
        if self._paused_at is not None:
            self._began_at += now - self._paused_at
            self._paused_at = None

    def count(self, size: int) -> None:
        """Count received bytes."""
        self._bytes += size

    def is_slow(self, now: float) -> bool:
        """Tell whether a period has passed with a rate below the minimum.

        Starts the next period if one has passed.
        """
        passed = now - self._began_at
        if self._paused_at is not None or passed < PERIOD_SECONDS:
            return False
        received, self._bytes, self._began_at = self._bytes, 0, now
        return received < self._min_rate * passed
