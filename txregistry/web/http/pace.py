"""How fast a body comes: a client that sends a byte now and then is not waited for."""

from __future__ import annotations

import attrs

#: What comes is counted over so many seconds, so that a pause of the network is none of
#: the client.
PERIOD_SECONDS = 60.0


@attrs.define(eq=False)
class Pace:
    """Counts what comes while the client is let send; it begins held back.

    :param least: bytes per second, framing included; 0 for any.
    :param held_at: now.
    """

    _least: float
    _held_at: float | None
    _began_at: float = attrs.field(init=False)
    _bytes: int = 0

    def __attrs_post_init__(self) -> None:
        self._began_at = self._held_at or 0.0

    def hold(self, now: float) -> None:
        """Count no time: it is us who are slow."""
        if self._held_at is None:
            self._held_at = now

    def go_on(self, now: float) -> None:
        """Count time again."""
        if self._held_at is not None:
            self._began_at += now - self._held_at
            self._held_at = None

    def take(self, size: int) -> None:
        """Count what has come."""
        self._bytes += size

    def is_slow(self, now: float) -> bool:
        """Tell whether too little came in the last period, if that has passed."""
        passed = now - self._began_at
        if self._held_at is not None or passed < PERIOD_SECONDS:
            return False
        came, self._bytes, self._began_at = self._bytes, 0, now
        return came < self._least * passed
