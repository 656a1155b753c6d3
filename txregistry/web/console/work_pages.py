"""Pages of what happened, and of what can be done."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.web.template import Tag, tags

from txregistry.interfaces.history import EventKind
from txregistry.web.console.forms import FORMS, ActionForm, Field
from txregistry.web.console.frame import table
from txregistry.web.console.words import ago, moment, short, size_of


def activity_part(
    kinds: Sequence[str], text: str, events: Sequence[Mapping[str, Any]]
) -> Tag:
    """Return the last events, and how to choose among them."""
    boxes = [
        tags.label(_box("kind", kind.value, kind.value in kinds), kind.value)
        for kind in EventKind
    ]
    form = tags.form(
        tags.fieldset(tags.legend("Kinds"), *boxes),
        tags.label("Text, or the id of a request", for_="text"),
        tags.input(type="search", name="text", id="text", value=text),
        tags.button("Choose", type="submit"),
        method="get",
        action="/activity",
        class_="search",
    )
    rows = [
        (
            tags.time(moment(each["at"]), datetime=moment(each["at"])),
            tags.span(each["kind"], class_=f"kind {each['kind']}"),
            each["text"],
            tags.code(each["request"], class_="id") if each["request"] else "-",
            each["source"],
        )
        for each in events
    ]
    heads = ("When", "Kind", "What", "Request", "Told by")
    content: Any = tags.p("Nothing of this kind happened lately.", class_="quiet")
    return tags.div(form, table("The last events", heads, rows) if rows else content)


def _box(name: str, value: str, is_checked: bool) -> Tag:
    box = tags.input(type="checkbox", name=name, value=value)
    return box(checked="checked") if is_checked else box


def actions_part(
    token: str, offered: Sequence[str], jobs: Sequence[Mapping[str, Any]], now: float
) -> Tag:
    """Return the forms of all actions, and the actions so far.

    :param token: of the visitor; empty if they may not act.
    :param offered: the commands that this daemon has.
    """
    forms = [_form(form, token) for form in FORMS if form.command in offered]
    may_not = tags.p("You may look, but not act.", class_="state warn")
    return tags.div(
        tags.div(*forms, class_="forms") if token else may_not,
        tags.section(tags.h2("So far"), jobs_part(jobs, now)),
    )


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
    kept = [
        tags.input(type="hidden", name=field.name, value=str(fields[field.name]))
        for field in form.fields
        if fields.get(field.name)
    ]
    return tags.section(
        tags.p("Nothing has been done yet. It"),
        tags.ul(*(tags.li(line) for line in says), class_="says"),
        tags.form(
            *_hidden(form, token),
            *kept,
            tags.button("Do it", type="submit", class_="do"),
            tags.a("Do not", href="/actions"),
            method="post",
            action="/actions",
            class_="buttons",
        ),
    )


def jobs_part(jobs: Sequence[Mapping[str, Any]], now: float) -> Tag:
    """Return the actions so far."""
    if not jobs:
        return tags.p("Nothing has been done since the start.", class_="quiet")
    rows = [
        (
            tags.a(
                f"{each['action']} {each['number']}", href=f"/jobs/{each['number']}"
            ),
            tags.span(each["state"], class_=f"job {each['state']}"),
            each["who"],
            ago(each["began_at"], now),
            each["error"],
        )
        for each in jobs
    ]
    return table("Actions", ("Action", "State", "Who", "Begun", "Why"), rows)


def job_part(job: Mapping[str, Any], token: str, now: float) -> Tag:
    """Return one action: how far it is, or what it did."""
    parts = [
        (
            tags.code(
                short(str(each.get("digest") or each.get("stage") or "all of it"))
            ),
            str(each.get("state", "")),
            size_of(each["done"]) if "digest" in each else str(each.get("done", "")),
        )
        for each in job["progress"]
    ]
    stop = tags.form(
        tags.input(type="hidden", name="token", value=token),
        tags.button("Stop it", type="submit"),
        method="post",
        action=f"/jobs/{job['number']}/stop",
    )
    is_running = job["state"] == "running"
    again = tags.p(tags.a("Look again", href=f"/jobs/{job['number']}"))
    return tags.div(
        again if is_running else "",
        tags.p(
            tags.span(job["state"], class_=f"job {job['state']}"),
            f" begun {ago(job['began_at'], now)} by {job['who']}",
        ),
        tags.p(job["error"], class_="bad") if job["error"] else "",
        stop if is_running and token else "",
        tags.pre(tags.code(json.dumps(job["options"], indent=2)), tabindex="0"),
        table("Parts", ("Part", "State", "Done"), parts) if parts else "",
        tags.section(
            tags.h2("Report"),
            tags.pre(tags.code(json.dumps(job["report"], indent=2)), tabindex="0"),
        )
        if job["report"]
        else "",
    )
