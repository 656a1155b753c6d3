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
                    once = least_seconds(parse, short)
                    if once > 1e-4:  # less is not told from nothing
                        ratio = least_seconds(parse, long) / once
                        limit = 3 * LONG / SHORT
                        self.assertLess(ratio, limit, (name, lead, piece))


def least_seconds(parse: Parse, text: str) -> float:
    """Give the least CPU time that reading a text takes: others lengthen it."""
    found = []
    for _ in range(3):
        client_base.cache_clear()
        begin = process_time()
        parse(text)
        found.append(process_time() - begin)
    return min(found)
