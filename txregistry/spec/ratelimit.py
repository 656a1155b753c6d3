"""Rate limits of an upstream: what it says of them, and what may still be asked (pure).

Docker Hub sends ``ratelimit-limit: 100;w=21600``, of a window of six hours that slides,
and ``ratelimit-remaining: 76;w=21600``; others send the numbers alone.
"""

from __future__ import annotations

import re

import attrs

#: A number, perhaps with the window in seconds; of a list, the first one counts.
_QUOTA = re.compile(r"\s*([0-9]{1,9})\s*(?:;[^,]*?\bw=([0-9]{1,9})\b)?")

_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)\s*%?")

#: The window where the upstream does not tell it, in seconds.
DEFAULT_WINDOW = 3600.0

#: Fewest and most seconds between two questions while little is left.
MIN_SPACING = 1.0
MAX_SPACING = 3600.0


@attrs.frozen
class Allowance:
    """What an upstream has last said of how often it may be asked.

    All times are in seconds by the clock of whoever asks.

    :ivar limit: questions in a window; ``None`` if it was not told.
    :ivar remaining: questions that are left; ``None`` if it was not told.
    :ivar window: how long what it said holds.
    :ivar seen_at: when it said so.
    :ivar retry_at: when it wants to be asked again, after 429.
    """

    limit: int | None = None
    remaining: int | None = None
    window: float = DEFAULT_WINDOW
    seen_at: float = 0.0
    retry_at: float = 0.0

    def seen(self, limit: str | None, remaining: str | None, now: float) -> Allowance:
        """Return what is known after an answer with these header values."""
        left, all_ = parse_quota(remaining), parse_quota(limit)
        if left is None:
            return self
        window = left[1] or (all_[1] if all_ else None) or DEFAULT_WINDOW
        total = self.limit if all_ is None else all_[0]
        return attrs.evolve(
            self, limit=total, remaining=left[0], window=window, seen_at=now
        )

    def has_to_wait(self, now: float) -> bool:
        """Return whether the upstream wants to be left alone."""
        # After the clock was set back, a wait must not become longer.
        return 0 < self.retry_at - now <= MAX_SPACING

    def refused(self, retry_after: float | None, now: float) -> Allowance:
        """Return what is known after 429.

        :param retry_after: seconds that the upstream wants to be left alone.
        """
        return attrs.evolve(self, retry_at=now + (retry_after or 0.0))


@attrs.frozen
class RatePolicy:
    """How much of its allowance a cache leaves for what it does not have.

    :ivar reserve: the share of the limit (``ratelimit.reserve``), from 0 to 1.
    """

    reserve: float = 0.1

    def is_scarce(self, allowance: Allowance, now: float) -> bool:
        """Decide whether less than the reserve is left.

        What was said longer ago than the window counts no more.
        """
        if allowance.remaining is None or not allowance.limit or not self.reserve:
            return False
        is_current = 0 <= now - allowance.seen_at < allowance.window
        return is_current and allowance.remaining < self.reserve * allowance.limit

    def is_short(self, allowance: Allowance, now: float) -> bool:
        """Decide whether questions that could be done without have to be spared."""
        return allowance.has_to_wait(now) or self.is_scarce(allowance, now)

    def may_ask(self, allowance: Allowance, asked_at: float | None, now: float) -> bool:
        """Decide whether a question may be asked that could be done without.

        While little is left such questions are spaced, so that what is left lasts for
        the window.

        :param asked_at: when the last one was asked; ``None`` for never.
        """
        if allowance.has_to_wait(now):
            return False
        if not self.is_scarce(allowance, now) or asked_at is None:
            return True
        return not 0 <= now - asked_at < spacing(allowance)


def spacing(allowance: Allowance) -> float:
    """Return the seconds between two questions for which what is left is enough."""
    wanted = allowance.window / ((allowance.remaining or 0) + 1)
    return min(MAX_SPACING, max(MIN_SPACING, wanted))


def parse_quota(value: str | None) -> tuple[int, float | None] | None:
    """Parse ``ratelimit-limit`` or ``ratelimit-remaining``.

    :return: the number, and the window in seconds if it is there; ``None`` if the
        value is absent or malformed.
    """
    found = _QUOTA.match(value or "")
    if found is None:
        return None
    return int(found[1]), float(found[2]) if found[2] and int(found[2]) else None


def parse_percent(text: str) -> float:
    """Parse a percentage such as ``10%`` or ``10`` into a share.

    :raise ValueError: it is none, or above 100.
    """
    found = _PERCENT.fullmatch(text.strip())
    if found is None or float(found[1]) > 100:
        raise ValueError("expected a percentage such as 10%, or 0")
    return float(found[1]) / 100
