"""Pages to find repositories, tags and images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from twisted.web.template import Tag, tags

from txregistry.web.console.charts import bar
from txregistry.web.console.explained import explained
from txregistry.web.console.frame import search_form, table
from txregistry.web.console.words import ago, count_of, short, size_of, until


def search_part(text: str, found: Mapping[str, Any]) -> Tag:
    """Return a search and what it has found."""
    form = search_form("/browse", "Repositories whose name has", text, "Search")
    names = found["repositories"]
    rows = [[tags.a(name, href=link("/repository", name=name))] for name in names]
    content: Any = tags.p("No repository has this in its name.", class_="quiet")
    if found["next"]:
        content = tags.p("None so far has this in its name.", class_="quiet")
    if rows:
        content = table("Repositories", ("Name",), rows)
    return tags.div(form, content, _further("/browse", found["next"], text=text))


def tags_part(found: Mapping[str, Any], now: float) -> Tag:
    """Return the tags of a repository, and what is here of each."""
    name = found["repository"]
    rows = [
        _tag_row(name, each["tag"], each["image"], now)
        for each in found["tags"]
        if each["image"] is not None
    ]
    heads = ("Tag", "Digest", "Built", "Size", "Platforms", "Confirmed", "Asked again")
    return tags.div(
        table(f"Tags of {name}", heads, rows),
        _further("/repository", found["next"], name=name),
    )


def _tag_row(
    name: str, tag: str, image: Mapping[str, Any], now: float
) -> Sequence[Any]:
    address = link("/image", name=f"{name}:{tag}")
    if not image["digest"]:
        return (tags.a(tag, href=address), "not here", "-", "-", "-", "-", "-")
    fresh = image.get("fresh_until")
    return (
        tags.a(tag, href=address),
        tags.code(short(image["digest"]), title=image["digest"]),
        _built(image, now),
        size_of(image["size"]),
        ", ".join(_platform(each) for each in image["platforms"][:8]),
        ago(image.get("confirmed_at"), now),
        "-" if fresh is None else until(fresh, now),
    )


def _built(image: Mapping[str, Any], now: float) -> str:
    return "-" if image["made_at"] is None else ago(image["made_at"], now)


def _platform(platform: Mapping[str, Any]) -> str:
    name = platform["platform"] or "one image"
    return f"{name} (not here)" if platform["missing"] else name


def image_part(found: Mapping[str, Any], now: float, actions: Tag) -> Tag:
    """Return all about one image, with the ways to act on it."""
    image, anatomy = found["image"], found["anatomy"]
    return tags.div(
        *(tags.p(sentence) for sentence in explained(image, now)),
        _facts(image, anatomy, now),
        tags.section(
            tags.h2("Pull it"),
            *(
                tags.div(
                    tags.pre(tags.code(command), tabindex="0", class_="command"),
                    class_="copied",
                )
                for command in found["pull"]
            ),
        ),
        actions,
        *(
            _variant(variant, size)
            for variant, size in zip(anatomy["variants"], found["sizes"], strict=True)
        ),
        _references(image["image"], anatomy["references"]),
        _earlier(image["image"], found["earlier"]),
        _comparison_form(image["image"]),
    )


def _facts(image: Mapping[str, Any], anatomy: Mapping[str, Any], now: float) -> Tag:
    pairs = [
        ("Digest", tags.code(image["digest"])),
        ("Type", anatomy["media_type"]),
        ("Built", _built(image, now)),
    ]
    if "upstream" in image:
        stale = image["stale_until"]
        whose = image["upstream"] or "local: no upstream has it"
        pairs += [
            ("Upstream", whose),
            ("Confirmed", ago(image["confirmed_at"], now)),
            ("Last used", ago(image["last_use"], now)),
            ("Expires", until(image["expires_at"], now)),
            (
                "In an outage",
                "served" if stale is None else f"served {until(stale, now)}",
            ),
            ("Last answer", _answer(image["answer"], now)),
        ]
    return tags.dl(
        *(tags.div(tags.dt(name), tags.dd(value)) for name, value in pairs),
        class_="facts",
    )


def _answer(answer: Mapping[str, Any] | None, now: float) -> str:
    if answer is None:
        return "nobody has asked lately"
    why = answer["cache_status"] or "nothing was looked up"
    return f"{answer['status']}, {ago(answer['at'], now)} ({why})"


def _variant(variant: Mapping[str, Any], size: int) -> Tag:
    title = variant["platform"] or "Layers"
    if not variant["is_here"]:
        return tags.section(tags.h2(title), tags.p("Not here.", class_="quiet"))
    rows = [
        (
            tags.code(short(layer["digest"]), title=layer["digest"]),
            tags.span(_layer_bar(layer, size), size_of(layer["size"])),
            "here" if layer["is_here"] else tags.span("not here", class_="bad"),
            _sharing(layer["shared_with"]),
        )
        for layer in variant["layers"]
    ]
    heads = ("Layer", "Size", "Here", "Shared")
    return tags.section(
        tags.h2(title), table(f"{title}: {size_of(size)} together", heads, rows)
    )


def _layer_bar(layer: Mapping[str, Any], size: int) -> Tag:
    return bar(layer["size"], size, "shared" if layer["shared_with"] else "own")


def _sharing(number: int | None) -> str:
    if number is None:
        return "-"
    if not number:
        return "its own"
    return f"with {count_of(number, 'other repository')}"


def _references(image: str, references: Sequence[Mapping[str, Any]]) -> Tag:
    if not references:
        return tags.section(
            tags.h2("Signatures and more"),
            tags.p("Nothing refers to it.", class_="quiet"),
        )
    repository = _repository_of(image)
    rows = [
        (
            tags.a(
                short(each["digest"]),
                href=link("/image", name=f"{repository}@{each['digest']}"),
            ),
            each["kind"],
            size_of(each["size"]),
        )
        for each in references
    ]
    return tags.section(
        tags.h2("Signatures and more"),
        table("What refers to it", ("Digest", "Kind", "Size"), rows),
    )


def _earlier(image: str, digests: Sequence[str]) -> Tag:
    """Return what a tag has stood for, each with the way to see what changed."""
    if not digests:
        return tags.p("")
    repository = _repository_of(image)
    items = [
        tags.li(
            tags.code(short(digest), title=digest),
            " ",
            tags.a(
                f"what changed since {short(digest)}",
                href=link(
                    "/comparison", **{"from": f"{repository}@{digest}"}, to=image
                ),
            ),
        )
        for digest in digests
    ]
    return tags.section(tags.h2("Earlier"), tags.ul(*items))


def _repository_of(image: str) -> str:
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def _comparison_form(image: str) -> Tag:
    return tags.section(
        tags.h2("Compare"),
        tags.form(
            tags.input(type="hidden", name="to", value=image),
            tags.label("With another image", for_="from"),
            tags.input(type="text", name="from", id="from", required="required"),
            tags.button("Compare", type="submit"),
            method="get",
            action="/comparison",
            class_="search",
        ),
    )


def comparison_part(found: Mapping[str, Any]) -> Tag:
    """Return what differs between two images."""
    parts = []
    for variant in found["variants"]:
        rows = [
            (tags.code(short(digest)), "came", size_of(size))
            for digest, size in variant["came"]
        ]
        rows += [
            (tags.code(short(digest)), "went", size_of(size))
            for digest, size in variant["went"]
        ]
        title = variant["platform"] or "Layers"
        same = f"{size_of(variant['kept'])} are the same"
        content: Any = tags.p("No layer differs.", class_="quiet")
        if rows:
            content = table(f"{title}: layers", ("Layer", "Change", "Size"), rows)
        parts.append(tags.section(tags.h2(title), tags.p(same), content))
    return tags.div(
        tags.p("From ", tags.code(found["from"]), " to ", tags.code(found["to"])),
        *parts,
    )


def link(path: str, **query: str) -> str:
    """Return a path with a query."""
    return f"{path}?{urlencode(query)}"


def _further(path: str, after: str, **query: str) -> Tag:
    if not after:
        return tags.p("")
    return tags.p(tags.a("Further", href=link(path, **query, after=after)))
