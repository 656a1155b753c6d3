"""``cache``: how much a cache may hold, and what of it stays."""

from __future__ import annotations

import attrs

from txregistry.config.declare import setting
from txregistry.config.fields import Size, parse_size
from txregistry.spec.images import ImagePattern
from txregistry.spec.space import MinFree, parse_percent

#: What becomes of a blob that cannot be stored.
ON_FULL = ("passthrough", "refuse")


@attrs.frozen
class CacheSection:
    """``cache``: the disk of a cache."""

    maxsize: Size = setting(
        Size(0),
        "Bytes that cached content may take, downloads under way included; blobs that"
        " were not used for the longest time are deleted before more is stored.",
        unit="bytes",
        unset="no limit",
    )
    minfree: str = setting(
        "",
        "What stays free on the file system of the storage: a size, or a percentage"
        " such as 10% of the whole file system. What others write counts as well.",
        unset="0",
    )
    pin: tuple[str, ...] = setting(
        (),
        "Images that are kept with all that belongs to them, whatever else has to go:"
        " names as they are stored or as clients write them, perhaps with a tag, with"
        " * for characters of one component and ** for any.",
    )
    onfull: str = setting(
        "passthrough",
        "What becomes of a blob that cannot be stored: passthrough sends it from the"
        " upstream to the client, refuse answers 503.",
        choices=ON_FULL,
    )


def parse_minfree(text: str) -> MinFree:
    """Read what stays free.

    :raise ValueError: it is neither a size nor a percentage.
    """
    if not text:
        return MinFree()
    percent = parse_percent(text)
    if percent is not None:
        return MinFree(percent=percent)
    try:
        return MinFree(size=parse_size(text))
    except ValueError as error:
        raise ValueError("expected a size such as 20GiB, or 10%") from error


def check_cache(cache: CacheSection, is_cache: bool) -> list[str]:
    """Find problems of the section.

    :param is_cache: there is an upstream.
    """
    problems = []
    try:
        parse_minfree(cache.minfree)
    except ValueError as error:
        problems.append(f"cache.minfree: {error}, found {cache.minfree!r}")
    for index, text in enumerate(cache.pin):
        try:
            ImagePattern.parse(text)
        except ValueError as error:
            problems.append(f"cache.pin[{index}]: {error}, found {text!r}")
    if cache != CacheSection() and not is_cache:
        problems.append("cache: without an upstream nothing is cached")
    return problems
