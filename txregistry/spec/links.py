"""``Link`` header fields (RFC 8288): where a list goes on."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from txregistry.spec.scan import skip_space, take_parameter, take_token

#: What is read of the links of one answer: lines, and characters of each.
MAX_LINES = 16
MAX_LENGTH = 16384


def parse_next(lines: Iterable[str]) -> str | None:
    """Find where the relation ``next`` leads, absolute or relative.

    :param lines: all lines of the header; what is malformed is passed over.
    """
    for line in islice(lines, MAX_LINES):
        found = _next_of(line[:MAX_LENGTH])
        if found is not None:
            return found
    return None


def _next_of(line: str) -> str | None:
    at = line.find("<")
    while at >= 0:
        end = line.find(">", at)
        if end < 0:
            return None
        relations, after = _relations(line, end + 1)
        if "next" in relations:
            return line[at + 1 : end].strip()
        at = line.find("<", after)
    return None


def _relations(line: str, at: int) -> tuple[list[str], int]:
    """Read the parameters of one link; only the first ``rel`` counts (RFC 8288, 3)."""
    found: str | None = None
    at = skip_space(line, at)
    while line[at : at + 1] == ";":
        at = skip_space(line, at + 1)
        parameter = take_parameter(line, at)
        if parameter is None:
            _, at = take_token(line, at)
        else:
            name, value, at = parameter
            if name == "rel" and found is None:
                found = value
        at = skip_space(line, at)
    return (found or "").lower().split(), at
