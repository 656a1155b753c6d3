"""``docs/configuration.md``: ``python -m txregistry.cli.reference FILE`` writes it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from txregistry.cli.facts import default_text, since_text
from txregistry.cli.texts import CREDENTIALS_EXAMPLE, FORMAT, SECRETS, VARIABLES
from txregistry.config.table import Key, keys

_HEAD = """\
# Configuration

<!-- `make docs` writes this page from the declarations of the keys: change those. -->
"""

_LEGEND = (
    "In the tables below *since* is the first release of distribution that has the key,"
    " or txregistry; *change* says whether a changed value takes effect by a reload, or"
    " needs a restart."
)

_COLUMNS = """\
| key | type | default | since | change | meaning |
| --- | --- | --- | --- | --- | --- |"""


def document() -> str:
    """Give the page."""
    parts = [
        _HEAD,
        *FORMAT,
        _LEGEND,
        "## Environment",
        *VARIABLES,
        "## Secrets",
        *SECRETS,
    ]
    parts += [f"```yaml\n{CREDENTIALS_EXAMPLE}\n```"]
    tops = [row for row in keys() if "." not in row.path]
    parts += [_table([row for row in tops if not row.is_section], "Top level")]
    for top in tops:
        if top.is_section:
            rows = [row for row in keys() if row.path.startswith(f"{top.path}.")]
            parts.append(_table(rows, top.path, top.doc))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _table(rows: list[Key], title: str, doc: str = "") -> str:
    lines = [f"## {title}", "", *([doc, ""] if doc else []), _COLUMNS]
    return "\n".join([*lines, *map(_line, rows)])


def _line(row: Key) -> str:
    since = since_text(row).removeprefix("distribution ")
    unit = f" ({row.known.unit})" if row.known.unit else ""
    cells = [_code(row.path), row.kind + unit, "", since, "", _meaning(row)]
    if not row.is_section:
        cells[2] = _default(row)
        cells[4] = "" if row.known.no_effect else "restart" if row.restart else "reload"
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _default(row: Key) -> str:
    text = default_text(row)
    is_value = text != "none" and not row.known.unset and not text.startswith("none,")
    return _code(text) if is_value else text


def _meaning(row: Key) -> str:
    return " ".join(_sentences(row))


def _sentences(row: Key) -> Iterator[str]:
    known = row.known
    yield _plain(row.doc)
    if known.choices:
        choices = [_code(choice) for choice in known.choices if choice]
        yield f"One of {', '.join(choices)}."
    if known.minimum is not None:
        yield f"At least {known.minimum}."
    if known.no_effect:
        yield f"No effect here: {known.no_effect}."
    if known.is_secret:
        yield "Secret."


def _code(text: str) -> str:
    return f"`{text}`"


def _plain(text: str) -> str:
    """Keep asterisks and brackets from being marks."""
    return text.replace("*", r"\*").replace("[", r"\[").replace("<", "&lt;")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document(), "utf-8")
