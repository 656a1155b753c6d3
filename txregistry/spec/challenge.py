"""``WWW-Authenticate`` challenges (RFC 9110, 11.6.1; distribution token spec)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import islice

import attrs

from txregistry.spec.scan import skip_space, take_parameter, take_token

#: Header lines of one response that are parsed, and characters of each line.
MAX_LINES = 16
MAX_LENGTH = 8192

#: What may follow a scheme instead of parameters: ``Negotiate YII=``.
_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*[ \t]*(?=,|$)")


@attrs.frozen
class Challenge:
    """One challenge: a scheme in lower case and its parameters."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(lines: Iterable[str]) -> list[Challenge]:
    """Parse the challenges of all header lines; malformed parts are skipped."""
    return [
        challenge
        for line in islice(lines, MAX_LINES)
        for challenge in _parse_line(line[:MAX_LENGTH])
    ]


def _parse_line(line: str) -> list[Challenge]:
    found: list[tuple[str, dict[str, str]]] = []
    at = 0
    while at < len(line):
        if parameter := take_parameter(line, at):
            name, value, at = parameter
            if found:
                found[-1][1].setdefault(name, value)
            continue
        scheme, after = take_token(line, at)
        if scheme:
            found.append((scheme.lower(), {}))
            at = _skip_token68(line, after)
        else:
            at += 1  # a comma, a space or a malformed character
    return [Challenge(scheme, parameters) for scheme, parameters in found]


def _skip_token68(line: str, at: int) -> int:
    at = skip_space(line, at)
    found = _TOKEN68.match(line, at)
    return at if found is None else found.end()
