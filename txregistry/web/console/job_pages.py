"""The pages of actions under way and ended."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.web.template import Tag, tags

from txregistry.web.console.action_page import do_it_form, lines_part
from txregistry.web.console.charts import bar
from txregistry.web.console.forms import form_of
from txregistry.web.console.frame import table
from txregistry.web.console.outcomes import outcome
from txregistry.web.console.words import ago, short, size_of

#: Parts of an action that are shown, and entries of each list of its report.
_PARTS, _ENTRIES = 50, 20


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
        tags.div(lines_part(lines) if lines else ""),
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
    return do_it_form(form, fields, token)


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
