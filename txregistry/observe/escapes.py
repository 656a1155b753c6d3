"""Text that others choose, in lines that only we are to write.

A name, a path or a reason may come from a client, a token or an upstream. In a log it
stays one field of one line, whatever it holds.
"""

from __future__ import annotations

import re

#: What a field that stands between spaces, without quotes, is made of.
_WORD = re.compile(r"[!#-Z^-~]+")


def word(text: str) -> str:
    """Give a field between spaces: it holds no space, quote or bracket."""
    if _WORD.fullmatch(text):
        return text
    return "".join(char if _WORD.match(char) else _code(char) for char in text)


def quoted(text: str) -> str:
    """Give a field in quotes."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    escaped = text.encode("unicode_escape").decode("ascii").replace('"', '\\"')
    return f'"{escaped}"'


def line(text: str) -> str:
    """Give text for people on one line: what cannot be printed is escaped."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _code(char) for char in text)


def indented(text: str) -> str:
    """Give several lines, none of which can be taken for a line of the log."""
    return "".join(f"    {line(part)}\n" for part in text.rstrip("\n").split("\n"))


def _code(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
