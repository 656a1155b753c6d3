"""The page of what happened."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from twisted.web.template import Tag, tags

from txregistry.interfaces.history import EventKind
from txregistry.web.console.frame import checkbox, search_form, table
from txregistry.web.console.words import moment, short

#: Characters of an event that are shown; the API and the log have the rest.
_TOLD = 400

_DIGEST = re.compile("(sha(?:256|512):[0-9a-f]{64,128})")


def filter_part(kinds: Sequence[str], text: str) -> Tag:
    """Return how to choose among the last events."""
    boxes = [
        tags.label(checkbox("kind", kind.value, kind.value in kinds), kind.value)
        for kind in EventKind
    ]
    chosen = tags.fieldset(tags.legend("Kinds"), *boxes)
    label = "Text, or the id of a request"
    return search_form("/activity", label, text, "Choose", chosen)


def activity_link(
    kinds: Sequence[str], text: str, before: int = 0, path: str = "/activity"
) -> str:
    """Return where some of the events are."""
    query = [*(("kind", kind) for kind in kinds), ("text", text)]
    return f"{path}?{urlencode(query + [('before', str(before))] * bool(before))}"


def events_part(found: Mapping[str, Any], kinds: Sequence[str], text: str) -> Tag:
    """Return some of the last events, and the way to older ones."""
    rows = [
        (
            tags.time(moment(each["at"]), datetime=moment(each["at"])),
            tags.span(each["kind"], class_=f"kind {each['kind']}"),
            _told(each["text"]),
            _request(each["request"]),
            each["source"],
        )
        for each in found["events"]
    ]
    heads = ("When", "Kind", "What", "Request", "Told by")
    content: Any = tags.p("Nothing of this kind happened lately.", class_="quiet")
    older = activity_link(kinds, text, found["older"])
    return tags.div(
        table("The last events", heads, rows) if rows else content,
        tags.p(tags.a("Older", href=older) if found["older"] else ""),
    )


def _request(identity: str) -> Any:
    """Return the id of a request, which leads to all that is told of it."""
    if not identity:
        return "-"
    code = tags.code(identity, class_="id")
    return tags.a(code, href=activity_link((), identity))


def _told(text: str) -> Tag:
    """Return a text in which digests are short, and which is not too long itself."""
    pieces: list[Any] = []
    if len(text) > _TOLD:
        text = f"{text[:_TOLD]}…"
    # Every second piece of such a split is a digest.
    for number, piece in enumerate(_DIGEST.split(text)):
        is_digest = number % 2 == 1
        pieces.append(tags.code(short(piece), title=piece) if is_digest else piece)
    return tags.span(*pieces)
