"""Lists of tags as an upstream gave them: opinions with an age.

Upstreams list in orders of their own, so that a page is cut from the whole; who goes
through the pages of a long list costs the upstream one list.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict

import attrs

from txregistry.interfaces.tags import Tags
from txregistry.spec.freshness import TagPolicy, Verdict
from txregistry.spec.reference import RepositoryName, Tag

#: What all lists together may take, in bytes; one that is longer is not kept.
MAX_BYTES = 16 * 1024 * 1024

#: What a tag takes beside its characters, and a list beside its tags, about.
_TAG_BYTES, _LIST_BYTES = 150, 500


@attrs.frozen
class _Seen:
    tags: Tags
    confirmed_at: float
    size: int


@attrs.define(eq=False)
class TagLists:
    """The lists of all repositories; the one renewed longest ago goes first."""

    _policy: TagPolicy
    _max_bytes: int = MAX_BYTES
    _seen: OrderedDict[RepositoryName, _Seen] = attrs.field(factory=OrderedDict)
    _bytes: int = 0

    def find(self, name: RepositoryName, now: float) -> Tags | None:
        """Give a list that is fresh."""
        seen = self._seen.get(name)
        if seen and self._policy.judge(seen.confirmed_at, now) is Verdict.FRESH:
            return seen.tags
        return None

    def remember(self, name: RepositoryName, tags: Tags, now: float) -> None:
        """Keep a list, and others as long as there is room."""
        self._forget(name)
        size = _LIST_BYTES + sum(_TAG_BYTES + len(str(tag)) for tag in tags)
        if size > self._max_bytes:
            return
        self._seen[name] = _Seen(tags, now, size)
        self._bytes += size
        while self._bytes > self._max_bytes:
            self._forget(next(iter(self._seen)))

    def _forget(self, name: RepositoryName) -> None:
        gone = self._seen.pop(name, None)
        if gone is not None:
            self._bytes -= gone.size


def page_of(tags: Tags, after: str, limit: int | None) -> Tags:
    """Cut a page from a sorted list."""
    start = bisect_right(tags, after, key=_text)
    return tags[start:] if limit is None else tags[start : start + limit]


def _text(tag: Tag) -> str:
    return str(tag)
