"""Tokens and quoted strings of HTTP header fields (RFC 9110, 5.6), in linear time.

Each function parses at a position of a text, and returns the position after what it
parsed. None visits a character more than a few times.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SPACE = re.compile(r"[ \t]*")
_PLAIN = re.compile(r'[^"\\]*')


def skip_space(text: str, at: int) -> int:
    """Skip spaces and tabs."""
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def take_token(text: str, at: int) -> tuple[str, int]:
    """Parse a token; empty if there is none."""
    found = _TOKEN.match(text, at)
    return ("", at) if found is None else (found[0], found.end())


def take_value(text: str, at: int) -> tuple[str, int]:
    """Parse a token or a quoted string, and return it unquoted.

    An unclosed string extends to the end of the text.
    """
    return (
        _take_quoted(text, at + 1) if text[at : at + 1] == '"' else take_token(text, at)
    )


def take_parameter(text: str, at: int) -> tuple[str, str, int] | None:
    """Parse ``name = value``.

    :return: the name in lower case, the value and the position after it; ``None`` if
        there is no name with an equals sign.
    """
    name, after = take_token(text, at)
    if not name:
        return None
    equals = skip_space(text, after)
    if text[equals : equals + 1] != "=":
        return None
    value, end = take_value(text, skip_space(text, equals + 1))
    return name.lower(), value, end


def _take_quoted(text: str, at: int) -> tuple[str, int]:
    parts: list[str] = []
    while at < len(text):
        plain = _PLAIN.match(text, at)
        assert plain is not None
        parts.append(plain[0])
        at = plain.end()
        if text[at : at + 1] == '"':
            return "".join(parts), at + 1
        parts.append(text[at + 1 : at + 2])  # the character after a backslash
        at += 2
    return "".join(parts), len(text)
