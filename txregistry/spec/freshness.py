"""When cached tags and lists may be served without asking the upstream."""

from __future__ import annotations

from enum import Enum

import attrs

from txregistry.spec.onerror import ErrorPolicy


class Freshness(Enum):
    """What to do with a cached tag or list."""

    FRESH = "fresh"
    BEHIND = "behind"  # serve it, and ask the upstream behind the answer
    REVALIDATE = "revalidate"


@attrs.frozen
class TagPolicy:
    """How long cached tags are served.

    :ivar fresh_seconds: seconds after which the upstream is asked again
        (``proxy.tagttl``); 0 asks each time.
    :ivar max_stale_seconds: seconds since the last confirmation for which a tag is
        served while the upstream fails (``proxy.maxstale``); ``None`` for no limit.
    :ivar errors: in place of which errors of the upstream it is served.
    :ivar stale_while_seconds: seconds after ``fresh_seconds`` for which it is served
        while the upstream is asked behind the answer (``proxy.stalewhile``); ``None``
        to ask before the answer.
    """

    fresh_seconds: float
    max_stale_seconds: float | None = None
    errors: ErrorPolicy = ErrorPolicy()
    stale_while_seconds: float | None = None

    def judge(self, confirmed_at: float | None, now: float) -> Freshness:
        """Decide whether the upstream has to be asked.

        :param confirmed_at: when the upstream last confirmed it, in seconds; ``None``
            for never.
        """
        # After the clock was set back, a confirmation in the future does not count.
        if confirmed_at is None or now < confirmed_at:
            return Freshness.REVALIDATE
        age = now - confirmed_at
        if age < self.fresh_seconds:
            return Freshness.FRESH
        behind = self._is_served_while_asked(age)
        return Freshness.BEHIND if behind else Freshness.REVALIDATE

    def _is_served_while_asked(self, age: float) -> bool:
        if self.stale_while_seconds is None:
            return False
        limit = self.fresh_seconds + self.stale_while_seconds
        return age < limit and self.may_serve_stale(0.0, age)

    def may_serve_stale(self, confirmed_at: float, now: float) -> bool:
        """Decide whether an unconfirmed tag may be served while the upstream fails."""
        if self.max_stale_seconds is None:
            return True
        return now - confirmed_at <= self.max_stale_seconds
