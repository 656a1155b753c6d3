"""What is here of an image and what would become of it, in words (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from txregistry.web.console.words import ago, count_of, span_of


def explained(image: Mapping[str, Any], now: float) -> Iterator[str]:
    """Give sentences about an image of a cache; of a registry there is nothing to say.

    :param image: as the API has it.
    """
    if "upstream" not in image:
        return
    yield from _what_is_here(image)
    if image["is_local"]:
        yield "No upstream has it: it is kept until somebody deletes it."
        return
    yield from _what_is_asked(image, now)
    if image["last_use"] is not None:
        yield _how_long(image, now)


def _what_is_here(image: Mapping[str, Any]) -> Iterator[str]:
    whole = [each for each in image["platforms"] if not each["missing"]]
    parts = [
        each
        for each in image["platforms"]
        if each["missing"] and each["digest"] not in each["missing"]
    ]
    names = _listed([each["platform"] for each in whole])
    if whole:
        yield f"All of it is here{f' for {names}' if names else ''}."
    for each in parts:
        missing = count_of(len(each["missing"]), "part")
        of = f" of {each['platform']}" if each["platform"] else ""
        yield f"{missing}{of} would have to be fetched."
    if not whole and not parts:
        yield "None of its platforms is here."


def _what_is_asked(image: Mapping[str, Any], now: float) -> Iterator[str]:
    upstream, confirmed = image["upstream"], image["confirmed_at"]
    if confirmed is None:
        yield f"{upstream} is not asked about it: a digest always stands for the same."
        return
    fresh = image["fresh_until"]
    said = f"{upstream} confirmed the tag {ago(confirmed, now)}"
    if fresh is not None and fresh > now:
        yield f"{said}, and is not asked again for {span_of(fresh - now)}."
    else:
        yield f"{said}, and is asked at the next pull."
    stale = image["stale_until"]
    if stale is None:
        yield "With the link down it is served for as long as it is here."
    elif stale > now:
        yield f"With the link down it is served for {span_of(stale - now)} more."
    else:
        yield "With the link down it is not served any more: it is too old."


def _how_long(image: Mapping[str, Any], now: float) -> str:
    used = f"It was last used {ago(image['last_use'], now)}"
    expires = image["expires_at"]
    if expires is None:
        return f"{used}, and stays."
    left = span_of(expires - now)
    return f"{used}, and goes in {left} if it is not used."


def _listed(names: list[str]) -> str:
    """Join names as in a sentence."""
    found = [name for name in names if name]
    head = ", ".join(found[:-1])
    return f"{head} and {found[-1]}" if head else "".join(found)
