"""What is said of a key, for the pages and commands that tell of it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from txregistry.config.declare import OURS
from txregistry.config.fields import TWIN
from txregistry.config.table import REQUIRED, Key

#: What a change of a key needs, where that is no restart.
RELOAD = "take effect by a reload"


def facts(row: Key) -> Iterator[tuple[str, str]]:
    """Give what is known of a key beside its description: what it is, and its words."""
    known = row.known
    yield "type", row.kind + (f", {known.unit}" if known.unit else "")
    if not row.is_section:
        yield "default", default_text(row)
    if known.choices:
        yield "values", ", ".join(choice for choice in known.choices if choice)
    if known.minimum is not None:
        yield "at least", str(known.minimum)
    yield "since", since_text(row)
    if known.no_effect:
        yield "no effect", known.no_effect
    elif not row.is_section:
        yield "changes", f"need a restart: {row.restart}" if row.restart else RELOAD
    if known.is_secret or known.is_url:
        yield "secret", "masked in all output"
    if known.in_file:
        name = "_NAME" if row.kind.startswith("mapping") else ""
        yield "in a file", f"{row.path}{TWIN}, or {row.variable}{name}_FILE"
    if not row.is_section or row.path.count(".") == 0:
        yield "variable", row.variable


def default_text(row: Key) -> str:
    """Give the default as it would be written, or what it stands for."""
    if row.default == REQUIRED:
        return "none, it is required"
    if row.known.unset:
        return row.known.unset
    if row.default in (None, "", [], {}):
        return "none"
    return str(row.default) if isinstance(row.default, str) else json.dumps(row.default)


def since_text(row: Key) -> str:
    """Give the first release with a key, and the last one."""
    known = row.known
    if known.since == OURS:
        return OURS
    return f"distribution {known.since}" + (f" to {known.until}" * bool(known.until))
