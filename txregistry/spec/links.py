"""``Link`` header fields (RFC 8288): the next page of a list."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from txregistry.spec.scan import skip_space, take_parameter, take_token

#: Header lines of one response that are parsed, and characters of each line.
MAX_LINES = 16
MAX_LENGTH = 16384


def parse_next(lines: Iterable[str]) -> str | None:
    """Return the target of the relation ``next``, an absolute or relative URL.

    :param lines: all lines of the header; malformed parts are skipped.
    :return: ``None`` if there is no such link.
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
    """Parse the parameters of one link; only the first ``rel`` counts (RFC 8288, 3).

    :return: the relations in lower case, and the end position.
    """
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
