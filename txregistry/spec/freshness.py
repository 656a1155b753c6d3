"""When cached tags and lists may be served without asking the upstream."""

from __future__ import annotations

from enum import Enum

import attrs

from txregistry.spec.onerror import ErrorPolicy


class Freshness(Enum):
    """What to do with a cached tag or list."""

    FRESH = "fresh"
    REVALIDATE = "revalidate"


@attrs.frozen
class TagPolicy:
    """How long cached tags are served.

    :ivar fresh_seconds: seconds after which the upstream is asked again
        (``proxy.tagttl``); 0 asks each time.
    :ivar max_stale_seconds: seconds since the last confirmation for which a tag is
        served while the upstream fails (``proxy.maxstale``); ``None`` for no limit.
    :ivar errors: in place of which errors of the upstream it is served.
    """

    fresh_seconds: float
    max_stale_seconds: float | None = None
    errors: ErrorPolicy = ErrorPolicy()

    def judge(self, confirmed_at: float | None, now: float) -> Freshness:
        """Decide whether the upstream has to be asked.

        :param confirmed_at: when the upstream last confirmed it, in seconds; ``None``
            for never.
        """
        if confirmed_at is None or self.fresh_seconds <= 0:
            return Freshness.REVALIDATE
        # After the clock was set back, a confirmation in the future does not count.
        age = now - confirmed_at
        fresh = 0 <= age < self.fresh_seconds
        return Freshness.FRESH if fresh else Freshness.REVALIDATE

    def may_serve_stale(self, confirmed_at: float, now: float) -> bool:
        """Decide whether an unconfirmed tag may be served while the upstream fails."""
        if self.max_stale_seconds is None:
            return True
        return now - confirmed_at <= self.max_stale_seconds
