"""When an opinion (a tag, a list) may be served, and how its age is told."""

from __future__ import annotations

from enum import Enum

import attrs


class Freshness(Enum):
    """What to do with what is cached."""

    FRESH = "fresh"
    REVALIDATE = "revalidate"


@attrs.frozen
class TagPolicy:
    """How long a tag is an answer.

    :ivar fresh_seconds: asked upstream again after this long; 0 asks each time.
    :ivar max_stale_seconds: served while the upstream fails for this long after the
        last time it was confirmed; ``None`` sets no limit.
    """

    fresh_seconds: float
    max_stale_seconds: float | None = None

    def judge(self, confirmed_at: float | None, now: float) -> Freshness:
        """Decide whether the upstream has to be asked.

        :param confirmed_at: when the upstream last said so; ``None`` for never.
        """
        if confirmed_at is None or self.fresh_seconds <= 0:
            return Freshness.REVALIDATE
        # A clock that was set back must not keep an opinion alive for ever.
        age = now - confirmed_at
        fresh = 0 <= age < self.fresh_seconds
        return Freshness.FRESH if fresh else Freshness.REVALIDATE

    def may_serve_stale(self, confirmed_at: float, now: float) -> bool:
        """Decide whether an unconfirmed answer may be served in an outage."""
        if self.max_stale_seconds is None:
            return True
        return now - confirmed_at <= self.max_stale_seconds
