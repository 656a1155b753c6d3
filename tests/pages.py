"""What the pages for administrators say, block by block.

A page runs from top to bottom in a sandbox, as its reader would: paths, ports and names
are those of the page. Before each fenced block, and after what needs no block, stands a
comment that the reader does not see:

``<!-- run -->``
    lines of sh, which must end well.
``<!-- file: PATH -->``
    a file, which is written; ``= EXAMPLE`` after the path names the file of
    ``etc/examples`` that has the same text, but for its comments.
``<!-- shows -->``
    each of its lines is in what the commands before it wrote; ``…`` is anything.
``<!-- in code -->``
    each of its lines is a message of ours, with ``…`` for what is put in.
``<!-- not run: REASON -->``
    nothing happens.
``<!-- setup`` ... ``-->``
    lines of sh that are not for the reader, such as to cut the network.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

import attrs

import txregistry

TOP = Path(__file__).parents[1]
PAGES = ("clients.md", "cookbook.md", "troubleshooting.md")
EXAMPLES = TOP / "etc" / "examples"
BLOCK = re.compile(
    r"^<!-- setup\n(?P<setup>.*?)^-->$"
    r"|^(?:<!-- (?P<tag>.*?) -->\n+)?```(?P<kind>\w*)\n(?P<text>.*?)^```$",
    re.M | re.S,
)


@cache
def messages() -> frozenset[str]:
    """Give each text that stands in the code, without what is filled in."""
    return frozenset(
        node.value
        for path in Path(txregistry.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


@attrs.frozen
class Block:
    """One fenced block, or one setup."""

    page: str
    line: int
    tag: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(name: str) -> Iterator[Block]:
    """Give the blocks of a page, in order."""
    text = (TOP / "docs" / name).read_text()
    for found in BLOCK.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        tag = "run" if found["setup"] is not None else found["tag"] or ""
        yield Block(name, line, tag, found["setup"] or found["text"] or "")


def without_comments(text: str) -> str:
    """Give a file without the comments on its top, and on its end."""
    return re.sub(r"^#.*\n", "", text, flags=re.M).strip()


def missing(block: Block, texts: Collection[str]) -> list[str]:
    """Give the lines that none of the texts has, ``…`` being anything."""
    return [
        line
        for line in block.text.splitlines()
        if not any(_pattern(line).search(text) for text in texts)
    ]


@cache
def _pattern(line: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, line.split("…"))))
