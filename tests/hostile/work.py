"""How the work of a parser grows with what it reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from time import process_time
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.forwarded import client_base

Parse = Callable[[str], Any]

#: Characters of the short text, and of the long one.
SHORT, LONG = 2_000, 16_000

#: Of the work for the long text and for the short one; quadratic work has 64.
MAX_RATIO = 3 * LONG / SHORT

#: Seconds: what takes less is not told from nothing, and counts as so much.
LEAST = 1e-4


class WorkCase(SynchronousTestCase):
    """Parsers whose work is to be linear."""

    def check_linear(
        self, parsers: Mapping[str, Parse], pieces: Iterable[str], leads: Iterable[str]
    ) -> None:
        """Eight times the text takes no more than three times eight times the work."""
        for name, parse in parsers.items():
            for piece in pieces:
                for lead in leads:
                    short, long = (
                        lead + piece * (size // len(piece)) for size in (SHORT, LONG)
                    )
                    ratio = least_ratio(parse, short, long)
                    self.assertLess(ratio, MAX_RATIO, (name, lead, piece))


def least_ratio(parse: Parse, short: str, long: str) -> float:
    """Return the least of three ratios: a busy machine makes some of them larger."""
    ratio = 0.0
    for _ in range(3):
        once = max(LEAST, least_seconds(parse, short))
        found = least_seconds(parse, long, MAX_RATIO * once) / once
        ratio = min(ratio or found, found)
        if ratio < MAX_RATIO:
            break
    return ratio


def least_seconds(parse: Parse, text: str, enough: float = 0.0) -> float:
    """Give the least CPU time that reading a text takes: others lengthen it.

    :param enough: less than this is not tried again.
    """
    found: list[float] = []
    while len(found) < 3 and not (found and found[-1] < enough):
        client_base.cache_clear()
        begin = process_time()
        parse(text)
        found.append(process_time() - begin)
    return min(found)
