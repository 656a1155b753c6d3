"""When things are due (pure)."""

from __future__ import annotations

import attrs

#: Entries taken from the ledger at a time.
BATCH = 100

#: Seconds that a tick works at most, so that serving comes first.
TICK_SECONDS = 1.0


@attrs.frozen
class ExpiryPlan:
    """The time to live, counted from the last use.

    :ivar ttl_seconds: 0 keeps everything for ever.
    """

    ttl_seconds: float

    @property
    def expires(self) -> bool:
        """Tell whether anything ever expires."""
        return self.ttl_seconds > 0

    @property
    def interval_seconds(self) -> float:
        """Give the seconds between two ticks: a tenth of the time to live, 1 to 60."""
        return min(60.0, max(1.0, self.ttl_seconds / 10))

    def cutoff(self, now: float) -> float:
        """Give the time before which a last use makes an entry due."""
        return now - self.ttl_seconds

    def expiry(self, last_use: float) -> float:
        """Give when an entry last used at a time is due."""
        return last_use + self.ttl_seconds

    def last_use(self, expiry: float) -> float:
        """Give the last use of an entry that is due at a time."""
        return expiry - self.ttl_seconds
