"""The page of what can be done, and what an action would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.web.template import Tag, tags

from txregistry.spec.imagename import ImageName
from txregistry.web.console.forms import FORMS, ActionForm, Field, about
from txregistry.web.console.frame import checkbox


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
        return (tags.label(checkbox(field.name, "1", False), field.label),)
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


def image_actions_part(image: ImageName, token: str, offered: Sequence[str]) -> Tag:
    """Return the ways to act on an image; each says first what it would do.

    :param token: of the visitor; empty if they may not act.
    :param offered: the commands that this daemon has.
    """
    forms = [
        tags.form(
            *_hidden(form, token),
            *_kept(form, about(form, image)),
            tags.button(form.title, type="submit", name="dry_run", value="1"),
            method="post",
            action="/actions",
        )
        for form in FORMS
        if form.command in offered and about(form, image)
    ]
    if not (forms and token):
        return tags.p("")
    return tags.section(tags.h2("Act on it"), tags.div(*forms, class_="buttons"))


def preview_part(
    form: ActionForm, fields: Mapping[str, Any], says: Sequence[str], token: str
) -> Tag:
    """Return what an action would do, and the way to do it."""
    return tags.section(
        tags.p("Nothing has been done yet. It"),
        lines_part(says),
        do_it_form(form, fields, token),
    )


def lines_part(lines: Sequence[str]) -> Tag:
    """Return what an action does or did, line by line."""
    return tags.ul(*(tags.li(line) for line in lines), class_="says")


def do_it_form(form: ActionForm, fields: Mapping[str, Any], token: str) -> Tag:
    """Return the form that does just what it says."""
    return tags.form(
        *_hidden(form, token),
        *_kept(form, fields),
        tags.button("Do it", type="submit", class_="do"),
        tags.a("Do not", href="/actions"),
        method="post",
        action="/actions",
        class_="buttons",
    )


def _kept(form: ActionForm, fields: Mapping[str, Any]) -> Sequence[Tag]:
    return [
        tags.input(type="hidden", name=field.name, value=str(fields[field.name]))
        for field in form.fields
        if fields.get(field.name)
    ]
