"""``WWW-Authenticate`` challenges (RFC 9110, 11.6.1; distribution token spec)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import attrs

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(rf'\s*({_WORD})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_WORD}))\s*')
_SCHEME = re.compile(rf"\s*({_WORD})(?:\s+|$)(?!=)")
_ESCAPE = re.compile(r"\\(.)")


@attrs.frozen
class Challenge:
    """One challenge: a scheme in lower case and its parameters."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(headers: Iterable[str]) -> list[Challenge]:
    """Read all challenges of all header lines; what is malformed is passed over."""
    return [challenge for header in headers for challenge in _parse_line(header[:8192])]


def _parse_line(line: str) -> list[Challenge]:
    found: list[tuple[str, dict[str, str]]] = []
    position = 0
    while position < len(line):
        if match := _PARAMETER.match(line, position):
            if found:
                value = match[3] if match[2] is None else _ESCAPE.sub(r"\1", match[2])
                found[-1][1][match[1].lower()] = value
        elif match := _SCHEME.match(line, position):
            found.append((match[1].lower(), {}))
        else:
            match = None
        position = position + 1 if match is None else match.end()
        while position < len(line) and line[position] == ",":
            position += 1
    return [Challenge(scheme, parameters) for scheme, parameters in found]
