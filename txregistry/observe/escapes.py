"""Escaping of untrusted text in logs.

A name, a path or a reason may come from a client, a token or an upstream. Escaped, it
cannot end its field or line, or forge another.
"""

from __future__ import annotations

import re

#: Characters of an unquoted field.
_WORD = re.compile(r"[!#-Z^-~]+")


def word(text: str) -> str:
    """Escape an unquoted field: the result has no space, quote or bracket."""
    if _WORD.fullmatch(text):
        return text
    return "".join(char if _WORD.match(char) else _code(char) for char in text)


def quoted(text: str) -> str:
    """Escape a field and put it in double quotes."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    escaped = text.encode("unicode_escape").decode("ascii").replace('"', '\\"')
    return f'"{escaped}"'


def line(text: str) -> str:
    """Escape a line of text for people: unprintable characters only."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _code(char) for char in text)


def indented(text: str) -> str:
    """Escape and indent several lines, so that none looks like a line of the log."""
    return "".join(f"    {line(part)}\n" for part in text.rstrip("\n").split("\n"))


def _code(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
