"""How the work of a parser grows with what it reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from time import process_time
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.forwarded import client_base

Parse = Callable[[str], Any]

#: Characters of the short text, and of the long one.
SHORT, LONG = 2_000, 32_000

#: Of the work for the long text and for the short one: 48. Linear work has 16,
#: quadratic work 256, so that a machine three times slower tells neither for the
#: other.
MAX_RATIO = 3 * LONG / SHORT

#: Seconds: what takes less is not told from nothing, and counts as so much.
LEAST = 1e-4

#: Most measurements of one text.
TRIES = 20


class WorkCase(SynchronousTestCase):
    """Parsers whose work is to be linear."""

    def check_linear(
        self, parsers: Mapping[str, Parse], pieces: Iterable[str], leads: Iterable[str]
    ) -> None:
        """Sixteen times the text takes no more than three times as much more work."""
        for name, parse in parsers.items():
            for piece in pieces:
                for lead in leads:
                    short, long = (
                        lead + piece * (size // len(piece)) for size in (SHORT, LONG)
                    )
                    ratio = work_ratio(parse, short, long)
                    self.assertLess(ratio, MAX_RATIO, (name, lead, piece))


def work_ratio(parse: Parse, short: str, long: str) -> float:
    """Return how many times the work of the short text the long one takes.

    The least CPU time of several is the nearest to the work: others lengthen it. The
    short text is read before and after the long one, as all of it may be slow. What is
    little enough is not measured again, and what is too much often: a machine may be
    busy for a second, and a failure is rare.
    """
    shorts, longs = [seconds(parse, short)], list[float]()
    for _ in range(TRIES):
        longs.append(seconds(parse, long))
        shorts += [seconds(parse, short) for _ in range(3)]
        ratio = min(longs) / max(LEAST, min(shorts))
        if ratio < MAX_RATIO:
            break
    return ratio


def seconds(parse: Parse, text: str) -> float:
    """Give the CPU time that reading a text takes."""
    client_base.cache_clear()
    begin = process_time()
    parse(text)
    return process_time() - begin
