"""How much is tried by tests that could try for ever."""

from __future__ import annotations

import os

#: How many times as much as in ``make test``; ``make long`` says so.
TIMES = int(os.environ.get("TXREGISTRY_TRIES") or 1)


def tries(number: int) -> int:
    """Give how often something is tried, of what ``make test`` has time for."""
    return number * TIMES
