"""What all pages have: their head, the way between them, and how they become bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.web.template import Tag, flattenString, tags

from txregistry import __version__
from txregistry.web.console.visitors import Visitor

#: The pages of the menu: path and title.
MENU = (
    ("/", "Overview"),
    ("/browse", "Browse"),
    ("/activity", "Activity"),
    ("/actions", "Actions"),
)


def page(title: str, current: str, visitor: Visitor | None, *content: Any) -> Tag:
    """Return a whole page.

    :param current: the path of its place in the menu.
    :param visitor: who looks; ``None`` if they were not let in.
    """
    head = tags.head(
        tags.meta(charset="utf-8"),
        tags.meta(name="viewport", content="width=device-width, initial-scale=1"),
        tags.meta(name="color-scheme", content="light dark"),
        tags.title(f"{title} - txregistry"),
        tags.link(rel="icon", href="data:,"),
        tags.link(rel="stylesheet", href="/static/uPlot.min.css"),
        tags.link(rel="stylesheet", href="/static/console.css"),
        tags.script(src="/static/uPlot.iife.min.js", defer="defer"),
        tags.script(src="/static/console.js", defer="defer"),
    )
    body = tags.body(
        tags.a("Skip to the content", href="#content", class_="skip"),
        _header(current, visitor),
        Tag("main")(tags.h1(title), *content, id="content", tabindex="-1"),
        tags.footer(f"txregistry {__version__}"),
    )
    return tags.html(head, body, lang="en")


def _header(current: str, visitor: Visitor | None) -> Tag:
    links = [
        tags.li(
            tags.a(title, href=path, **_current(path == current)),
        )
        for path, title in MENU
    ]
    who = "" if visitor is None else visitor.who.who
    return tags.header(
        tags.a("txregistry", href="/", class_="brand"),
        tags.nav(tags.ul(*links), **{"aria-label": "Pages"}),
        tags.span(who, class_="who"),
    )


def _current(is_current: bool) -> dict[str, str]:
    return {"aria-current": "page"} if is_current else {}


def table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> Tag:
    """Return a table that can be scrolled where it is wider than the screen."""
    head = tags.thead(tags.tr(*(tags.th(text, scope="col") for text in heads)))
    body = tags.tbody(
        *(
            tags.tr(tags.th(row[0], scope="row"), *(tags.td(cell) for cell in row[1:]))
            for row in rows
        )
    )
    return tags.div(
        tags.table(tags.caption(caption), head, body),
        class_="scroll",
        tabindex="0",
        role="region",
        **{"aria-label": caption},
    )


def card(label: str, value: Any, *more: Any) -> Tag:
    """Return one figure with its name."""
    return tags.section(
        tags.h2(label), tags.p(value, class_="figure"), *more, class_="card"
    )


def search_form(action: str, label: str, text: str, button: str, *before: Any) -> Tag:
    """Return a form that looks for a text.

    :param before: stands in front of it.
    """
    return tags.form(
        *before,
        tags.label(label, for_="text"),
        tags.input(type="search", name="text", id="text", value=text),
        tags.button(button, type="submit"),
        method="get",
        action=action,
        role="search",
        class_="search",
    )


def checkbox(name: str, value: str, is_checked: bool) -> Tag:
    """Return a box to be checked."""
    box = tags.input(type="checkbox", name=name, value=value)
    return box(checked="checked") if is_checked else box


def flatten(tag: Tag) -> Deferred[bytes]:
    """Fire with the bytes of a page or a part of one."""
    return flattenString(None, tag)
