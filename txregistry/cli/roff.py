"""Manual pages in roff, of the macros ``man(7)``."""

from __future__ import annotations

import textwrap

import attrs

#: Columns of a line, and letters of a word that may be broken at its underscores.
_WIDTH, _LONG = 78, 40

_ESCAPES = str.maketrans(
    {
        "\\": r"\e",
        "-": r"\-",
        "^": r"\(ha",
        "~": r"\(ti",
        "`": r"\(ga",
        '"': r"\(dq",
        "'": r"\(aq",
    }
)


def escaped(text: str) -> str:
    """Write a text so that roff shows it as it is."""
    words = text.translate(_ESCAPES).split(" ")
    shown = " ".join(w.replace("_", r"_\:") if len(w) > _LONG else w for w in words)
    # A line that begins with a dot would be an instruction.
    return r"\&" + shown if shown.startswith(".") else shown


def _wrapped(text: str) -> list[str]:
    """Break a text into lines, each of them escaped."""
    lines = textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return [escaped(line) for line in lines]


def bold(text: str) -> str:
    """Write a text in bold."""
    return rf"\fB{escaped(text)}\fR"


@attrs.define
class ManualPage:
    """A page that grows by paragraphs."""

    lines: list[str] = attrs.field(factory=list)

    def head(self, name: str, section: int, title: str, source: str, date: str) -> None:
        """Begin the page with its name and what it is about."""
        self.lines += [
            f'.TH "{escaped(name.upper())}" {section} "{date}" "{escaped(source)}"',
            ".SH NAME",
            rf"{escaped(name)} \- {escaped(title)}",
            # Neither hyphens nor wide gaps in names of keys and commands.
            ".nh",
            ".ad l",
        ]

    def section(self, title: str) -> None:
        """Begin a section."""
        self.lines.append(f'.SH "{escaped(title.upper())}"')

    def subsection(self, title: str) -> None:
        """Begin a section inside a section."""
        self.lines.append(f'.SS "{escaped(title)}"')

    def text(self, *paragraphs: str) -> None:
        """Add paragraphs of plain text."""
        for paragraph in paragraphs:
            if not self.lines[-1].startswith((".SH", ".SS")):
                self.lines.append(".PP")
            self.lines += _wrapped(paragraph)

    def code(self, text: str) -> None:
        """Add lines that stay as they are."""
        self.lines += [".PP", ".RS 4", ".nf"]
        self.lines += [escaped(line) or r"\&" for line in text.split("\n")]
        self.lines += [".fi", ".RE"]

    def item(self, head: str, *texts: str) -> None:
        """Add an item of a list: its head, and indented lines."""
        self.lines += [".TP", head]
        for index, text in enumerate(texts):
            self.lines += ([".br"] if index else []) + _wrapped(text)

    def __str__(self) -> str:
        """Give the whole page."""
        return "\n".join(self.lines) + "\n"
