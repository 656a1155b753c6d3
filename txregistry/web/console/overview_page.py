"""The first page: how the cache is now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from twisted.web.template import Tag, tags

from txregistry.web.console.charts import bar
from txregistry.web.console.frame import card, table
from txregistry.web.console.words import (
    ago,
    count_of,
    share,
    short,
    size_of,
    span_of,
)

#: Of the table of upstreams.
_UPSTREAM_HEADS = (
    "Upstream",
    "State",
    "Requests",
    "Hits",
    "Stale",
    "Pulled",
    "Served",
    "Latency",
    "Limit",
)


def overview_now(found: Mapping[str, Any]) -> Tag:
    """Return the part of the page that is kept up to date."""
    cache, now = found["cache"], found["at"]
    if cache is None:
        return tags.div(_state(found), tags.p("This registry caches nothing."))
    return tags.div(
        _state(found),
        tags.div(*_cards(cache), class_="cards"),
        _upstreams(cache["upstreams"]),
        _downloads(cache),
        _disk(cache["disk"], now),
        _lacking(cache["readiness"], now),
    )


def said_of(found: Mapping[str, Any]) -> str:
    """Return how it is in a sentence."""
    _, head, details = _judged(found)
    return f"{head}: {'; '.join(details)}" if details else head


def _judged(found: Mapping[str, Any]) -> tuple[str, str, Sequence[str]]:
    """Judge how it is: the style of that, what is said, and what more there is."""
    problems, cache = found["problems"], found["cache"] or {}
    if problems:
        told = [f"{name}: {text}" for name, text in problems.items()]
        return "bad", "Something is wrong", told
    if cache.get("offline"):
        return "warn", "Offline", ["no upstream is asked"]
    away = [each["name"] for each in cache.get("upstreams", ()) if _is_away(each)]
    if away:
        return "warn", f"{count_of(len(away), 'upstream')} away", away
    return "good", "All is well", ()


def _is_away(upstream: Mapping[str, Any]) -> bool:
    return bool(upstream["paused_seconds"] or upstream["failing"])


def _state(found: Mapping[str, Any]) -> Tag:
    style, head, details = _judged(found)
    more: Any = f": {details[0]}" if details else ""
    if len(details) > 1:
        more = tags.ul(*(tags.li(detail) for detail in details))
    return tags.div(tags.strong(head), more, class_=f"state {style}")


def _cards(cache: Mapping[str, Any]) -> Sequence[Tag]:
    upstreams = cache["upstreams"]
    asked = sum(each["requests"] for each in upstreams)
    hits = sum(each["hits"] for each in upstreams)
    served = sum(each["served_bytes"] for each in upstreams)
    pulled = sum(each["pulled_bytes"] for each in upstreams)
    ready, disk = cache["readiness"], cache["disk"]
    return (
        card("Hits", share(hits, asked), tags.p(f"of {count_of(asked, 'request')}")),
        card(
            "Uplink saved",
            size_of(max(0, served - pulled)),
            tags.p(f"{size_of(served)} served, {size_of(pulled)} pulled"),
        ),
        card("Ready for an outage", *_readiness(ready)),
        card("On the disk", *_stored(disk)),
        card("Downloads", f"{cache['downloads_number']:,}", tags.p("under way")),
    )


def _stored(disk: Mapping[str, Any] | None) -> tuple[Any, ...]:
    if disk is None:
        return ("?", tags.p("it cannot be told now"))
    stored, limit = disk["usage"]["stored"], disk["limit"]
    return (
        size_of(stored),
        bar(stored, limit),
        tags.p(f"of {size_of(limit)}" if limit else "without a limit"),
    )


def _readiness(ready: Mapping[str, Any]) -> tuple[Any, ...]:
    so_far = "" if ready["at"] else ", of those looked at so far"
    return (
        f"{ready['ready']:,} of {ready['tags']:,}",
        bar(ready["ready"], ready["tags"]),
        tags.p(f"tags would pull with the link down{so_far}"),
    )


def _upstreams(upstreams: Sequence[Mapping[str, Any]]) -> Tag:
    rows = [
        (
            tags.span(each["name"], title=each["url"]),
            _asked(each),
            f"{each['requests']:,}",
            share(each["hits"], each["requests"]),
            f"{each['stale']:,}",
            size_of(each["pulled_bytes"]),
            size_of(each["served_bytes"]),
            _latency(each),
            _left(each),
        )
        for each in upstreams
    ]
    return table("Upstreams", _UPSTREAM_HEADS, rows)


def _asked(upstream: Mapping[str, Any]) -> Tag:
    paused = upstream["paused_seconds"]
    if paused:
        return tags.span(f"away, asked in {span_of(paused)}", class_="bad")
    if upstream["failing"]:
        return tags.span("away", class_="bad")
    if not upstream["questions"]:
        return tags.span("not asked yet", class_="quiet")
    return tags.span("up", class_="good")


def _latency(upstream: Mapping[str, Any]) -> str:
    latency = upstream["latency"]
    return "-" if latency is None else f"{1000 * latency:.0f} ms"


def _left(upstream: Mapping[str, Any]) -> str:
    if upstream["rate_left"] is None:
        return "-"
    limit = upstream["rate_limit"]
    return f"{upstream['rate_left']:,} left" + (f" of {limit:,}" if limit else "")


def _downloads(cache: Mapping[str, Any]) -> Tag:
    if not cache["downloads"]:
        return tags.p("Nothing is being downloaded.", class_="quiet")
    rows = [
        (
            tags.code(short(each["digest"]), title=each["digest"]),
            each["upstream"],
            tags.span(bar(each["done"], each["size"] or 0), _done(each)),
            f"{size_of(each['rate'])}/s",
            count_of(each["clients"], "client"),
        )
        for each in cache["downloads"]
    ]
    number, shown = cache["downloads_number"], len(rows)
    caption = "Downloads" if number == shown else f"{shown} of {number:,} downloads"
    return table(caption, ("Blob", "Upstream", "Done", "Rate", "Waiting"), rows)


def _done(download: Mapping[str, Any]) -> str:
    whole = download["size"]
    return size_of(download["done"]) + (f" of {size_of(whole)}" if whole else "")


def _disk(disk: Mapping[str, Any] | None, now: float) -> Tag:
    if disk is None:
        return tags.p("")
    usage = disk["usage"]
    space = usage["disk"]
    free = "" if space is None else f"{size_of(space['free'])} free on the disk"
    keep = disk["keep_free"]
    says = [free, f"{size_of(keep)} stay free" if keep else ""]
    rows = [
        (
            tags.code(short(each["stored"]["reference"])),
            size_of(each["stored"]["size"]),
            ago(each["stored"]["last_use"], now),
            ", ".join(each["repositories"][:3]),
            each["stays"] or "goes next",
        )
        for each in disk["candidates"]
    ]
    heads = ("Content", "Size", "Last used", "Of", "Fate")
    return tags.section(
        tags.h2("Disk"),
        tags.p("; ".join(filter(None, says))),
        table("What would go next if room were needed", heads, rows) if rows else "",
    )


def _lacking(ready: Mapping[str, Any], now: float) -> Tag:
    if not ready["lacking"]:
        return tags.p("")
    rows = [
        (
            tags.a(each["image"], href=f"/image?{urlencode({'name': each['image']})}"),
            each["lacks"],
        )
        for each in ready["lacking"][:20]
    ]
    when = ago(ready["at"], now) if ready["at"] else "so far"
    return tags.section(
        tags.h2("Not ready for an outage"),
        table(f"Looked at {when}", ("Image", "Lacks"), rows),
    )
