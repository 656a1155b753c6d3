"""How much of a file system stays free (pure)."""

from __future__ import annotations

import re

import attrs

_PERCENT = re.compile(r"(\d{1,2}(?:\.\d+)?) ?%")


@attrs.frozen
class MinFree:
    """What stays free: bytes, or a share of the whole file system.

    :ivar size: bytes.
    :ivar percent: of the size of the file system, from 0 to below 100.
    """

    size: int = 0
    percent: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.size or self.percent)

    def of(self, total: int) -> int:
        """Return the bytes that stay free on a file system of a size in bytes."""
        return max(self.size, int(total * self.percent / 100))


def parse_percent(text: str) -> float | None:
    """Read a percentage below 100; ``None`` if a text is none."""
    found = _PERCENT.fullmatch(text)
    return None if found is None else float(found[1])
