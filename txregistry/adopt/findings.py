"""What is told of an old registry before it is taken over."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

import attrs


class Level(IntEnum):
    """How much something matters; the highest decides."""

    NOTE = 0
    LOOK = 1
    CANNOT = 2


@attrs.frozen
class Finding:
    """One thing that is told.

    :ivar about: a key, a variable, a file or a unit.
    """

    level: Level
    about: str
    text: str

    @classmethod
    def of(cls, level: Level, line: str) -> Finding:
        """Make one of a line that begins with what it is about and a colon."""
        about, _, text = line.partition(": ")
        return cls(level, about, text)


def verdict(findings: Iterable[Finding]) -> Level:
    """Give the highest level."""
    return max((finding.level for finding in findings), default=Level.NOTE)
