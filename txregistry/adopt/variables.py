"""The files of variables that systemd reads, and words as it splits them (pure)."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

#: A comment, an assignment with its name and the pieces of its value, or another line.
_LINE = re.compile(
    r"""^[ \t]*(?:
        [#;](?:\\\n|[^\n])*
        |([A-Za-z_][A-Za-z0-9_]*)=[ \t]*
         ((?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^'"\\\n])*)
        |[^\n]*
    )$""",
    re.MULTILINE | re.VERBOSE | re.DOTALL,
)
_PIECE = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^'"\\]+""", re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\$`\n])')
_SPECIAL = re.compile(r'["\\$`]')


def read_variables(text: str) -> dict[str, str]:
    """Read a file of variables; what is no assignment is passed over.

    A backslash at the end of a line continues it, and within double quotes it takes
    their meaning away from quotes, backslashes and dollars.
    """
    return {name: _value(raw) for name, raw in _LINE.findall(text) if name}


def _value(raw: str) -> str:
    pieces = _PIECE.findall(raw)
    if pieces and pieces[-1][0] not in "'\"\\":
        pieces[-1] = pieces[-1].rstrip()
    return "".join(map(_plain, pieces))


def _plain(piece: str) -> str:
    if piece[0] == "'":
        return piece[1:-1]
    if piece[0] == '"':
        return _ESCAPED.sub(lambda m: m[1].strip("\n"), piece[1:-1])
    return piece[1:].strip("\n") if piece[0] == "\\" else piece


def write_variables(variables: Mapping[str, str]) -> str:
    """Write variables so that systemd reads the same values."""
    lines = [
        f'{name}="{_SPECIAL.sub(lambda found: chr(92) + found[0], value)}"\n'
        for name, value in sorted(variables.items())
    ]
    return "".join(lines)


def split_words(text: str) -> list[str]:
    """Split a value of a unit into words, with quotes as systemd knows them.

    :raise ValueError: a quote is not closed.
    """
    return [word.replace("%%", "%") for word in shlex.split(text)]


def unit_word(text: str) -> str:
    """Write a word so that a unit has it as it is: quoted, without specifiers."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"' if re.search(r"[\s\"'\\;]", text) else escaped
