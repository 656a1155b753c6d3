"""Pages of what happened, and of what can be done."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from twisted.web.template import Tag, tags

from txregistry.interfaces.history import EventKind
from txregistry.web.console.charts import bar
from txregistry.web.console.forms import FORMS, ActionForm, Field, form_of
from txregistry.web.console.frame import table
from txregistry.web.console.outcomes import outcome
from txregistry.web.console.words import ago, moment, short, size_of

#: Characters of an event that are shown; the API and the log have the rest.
_TOLD = 400

#: Parts of an action that are shown, and entries of each list of its report.
_PARTS, _ENTRIES = 50, 20

_DIGEST = re.compile("(sha(?:256|512):[0-9a-f]{64,128})")


def filter_part(kinds: Sequence[str], text: str) -> Tag:
    """Return how to choose among the last events."""
    boxes = [
        tags.label(_box("kind", kind.value, kind.value in kinds), kind.value)
        for kind in EventKind
    ]
    return tags.form(
        tags.fieldset(tags.legend("Kinds"), *boxes),
        tags.label("Text, or the id of a request", for_="text"),
        tags.input(type="search", name="text", id="text", value=text),
        tags.button("Choose", type="submit"),
        method="get",
        action="/activity",
        class_="search",
    )


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


def _box(name: str, value: str, is_checked: bool) -> Tag:
    box = tags.input(type="checkbox", name=name, value=value)
    return box(checked="checked") if is_checked else box


def forms_part(token: str, offered: Sequence[str]) -> Tag:
    """Return the forms of all actions.

    :param token: of the visitor; empty if they may not act.
    :param offered: the commands that this daemon has.
    """
    forms = [_form(form, token) for form in FORMS if form.command in offered]
    may_not = tags.p("You may look, but not act.", class_="state warn")
    return tags.div(*forms, class_="forms") if token else may_not


def _form(form: ActionForm, token: str) -> Tag:
    return tags.form(
        tags.h2(form.title),
        tags.p(form.says),
        *_hidden(form, token),
        *(part for field in form.fields for part in _field(form, field)),
        tags.div(
            tags.button(
                "Say what it would do", type="submit", name="dry_run", value="1"
            ),
            tags.button("Do it", type="submit", class_="do"),
            class_="buttons",
        ),
        method="post",
        action="/actions",
        class_="card",
    )


def _hidden(form: ActionForm, token: str) -> Sequence[Tag]:
    return (
        tags.input(type="hidden", name="token", value=token),
        tags.input(type="hidden", name="action", value=form.name),
    )


def _field(form: ActionForm, field: Field) -> Sequence[Tag]:
    name = f"{form.name}-{field.name}"
    if field.kind == "flag":
        return (tags.label(_box(field.name, "1", False), field.label),)
    label, hint = (
        tags.label(field.label, for_=name),
        tags.small(field.hint, id=f"{name}-hint"),
    )
    described = {"aria-describedby": f"{name}-hint"}
    if field.kind == "lines":
        entry = tags.textarea(id=name, name=field.name, rows="2", **described)
    else:
        entry = tags.input(type="text", id=name, name=field.name, **described)
    return (label, entry, hint)


def preview_part(
    form: ActionForm, fields: Mapping[str, Any], says: Sequence[str], token: str
) -> Tag:
    """Return what an action would do, and the way to do it."""
    return tags.section(
        tags.p("Nothing has been done yet. It"),
        _says(says),
        _do_it(form, fields, token),
    )


def _says(lines: Sequence[str]) -> Tag:
    return tags.ul(*(tags.li(line) for line in lines), class_="says")


def _do_it(form: ActionForm, fields: Mapping[str, Any], token: str) -> Tag:
    kept = [
        tags.input(type="hidden", name=field.name, value=str(fields[field.name]))
        for field in form.fields
        if fields.get(field.name)
    ]
    return tags.form(
        *_hidden(form, token),
        *kept,
        tags.button("Do it", type="submit", class_="do"),
        tags.a("Do not", href="/actions"),
        method="post",
        action="/actions",
        class_="buttons",
    )


def jobs_part(jobs: Sequence[Mapping[str, Any]], now: float) -> Tag:
    """Return the actions so far."""
    if not jobs:
        none = tags.p("Nothing has been done since the start.", class_="quiet")
        return tags.div(none)
    rows = [
        (
            tags.a(each["title"], href=f"/jobs/{each['number']}"),
            tags.span(each["state"], class_=f"job {each['state']}"),
            each["who"],
            ago(each["began_at"], now),
            each["error"],
        )
        for each in jobs
    ]
    heads = ("Action", "State", "Who", "Begun", "Why")
    return tags.div(table("Actions so far", heads, rows))


def job_part(job: Mapping[str, Any], token: str, now: float) -> Tag:
    """Return one action: how far it is, or what it did.

    :param token: of the visitor; empty if they may not act.
    """
    lines = outcome(job["action"], job["report"])
    return tags.div(
        tags.p(
            tags.span(job["state"], class_=f"job {job['state']}"),
            f" begun {ago(job['began_at'], now)} by {job['who']}",
        ),
        # The same parts at each time, so that each is replaced by itself.
        tags.p(job["error"], class_="bad"),
        tags.div(_says(lines) if lines else ""),
        tags.div(_next_step(job, token)),
        tags.div(_progress(job["progress"])),
        _whole(job),
    )


def _next_step(job: Mapping[str, Any], token: str) -> Any:
    """Offer to stop what is under way, or to do just what a dry run told of."""
    if job["state"] == "running":
        stop = tags.form(
            tags.input(type="hidden", name="token", value=token),
            tags.button("Stop it", type="submit"),
            method="post",
            action=f"/jobs/{job['number']}/stop",
        )
        again = tags.noscript(tags.a("Look again", href=f"/jobs/{job['number']}"))
        return (stop if token else "", again)
    form = form_of(job["action"]) if job["options"].get("dry_run") else None
    if form is None or job["state"] != "done" or not token:
        return ""
    if not job["options"].keys() <= {"dry_run", *(each.name for each in form.fields)}:
        return ""  # the form could not say all that was asked
    fields = {name: "1" for name, value in job["options"].items() if value}
    return _do_it(form, fields, token)


def _progress(parts: Sequence[Mapping[str, Any]]) -> Any:
    if not parts:
        return ""
    rows = [
        (
            tags.code(
                short(str(each.get("digest") or each.get("stage") or "all of it"))
            ),
            str(each.get("state", "")),
            tags.span(*_done(each)),
        )
        for each in parts[-_PARTS:]
    ]
    more = len(parts) - len(rows)
    caption = f"The last {len(rows)} parts" if more else "Parts"
    return table(caption, ("Part", "State", "Done"), rows)


def _done(part: Mapping[str, Any]) -> Sequence[Any]:
    """Draw how far a part is: of a download in bytes, of a verification as a share."""
    if "fraction" in part:
        read = f"{size_of(part['size'])} read, {part['damaged']:,} damaged"
        return (bar(part["fraction"], 1.0), read)
    if "digest" not in part:
        return (f"{part.get('done', 0):,}",)
    whole, done = part.get("size"), part["done"]
    of = f" of {size_of(whole)}" if whole else ""
    return (bar(done, whole or 0), f"{size_of(done)}{of}")


def _whole(job: Mapping[str, Any]) -> Tag:
    parts = [("Options", job["options"]), ("Report", job["report"])]
    return tags.details(
        tags.summary("As the API has it"),
        *(
            tags.section(
                tags.h2(name),
                tags.pre(tags.code(json.dumps(_cut(value), indent=2)), tabindex="0"),
            )
            for name, value in parts
            if value
        ),
    )


def _cut(value: Any) -> Any:
    """Return values of JSON without what is long in them."""
    if isinstance(value, Mapping):
        return {name: _cut(each) for name, each in value.items()}
    if not isinstance(value, list):
        return value
    more = len(value) - _ENTRIES
    return [_cut(each) for each in value[:_ENTRIES]] + [f"and {more} more"] * (more > 0)
