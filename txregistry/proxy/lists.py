"""Lists of tags as an upstream gave them: opinions with an age.

Upstreams list in orders of their own, so that a page is cut from the whole; who goes
through the pages of a long list costs the upstream one list.
"""

from __future__ import annotations

from bisect import bisect_right

import attrs

from txregistry.flow.sized import SizedCache
from txregistry.interfaces.tags import Tags
from txregistry.spec.freshness import Freshness, TagPolicy
from txregistry.spec.reference import RepositoryName, Tag

#: What all lists together may take, in bytes; one that is longer is not kept.
MAX_BYTES = 16 * 1024 * 1024

#: What a tag takes beside its characters, about.
_TAG_BYTES = 150


@attrs.frozen
class _Seen:
    tags: Tags
    confirmed_at: float


@attrs.define(eq=False)
class TagLists:
    """The lists of all repositories; the one renewed longest ago goes first."""

    _policy: TagPolicy
    _seen: SizedCache[RepositoryName, _Seen] = attrs.field(
        factory=lambda: SizedCache(MAX_BYTES)
    )

    def find(self, name: RepositoryName, now: float) -> Tags | None:
        """Give a list that is fresh."""
        seen = self._seen.find(name)
        if seen and self._policy.judge(seen.confirmed_at, now) is Freshness.FRESH:
            return seen.tags
        return None

    def remember(self, name: RepositoryName, tags: Tags, now: float) -> None:
        """Keep a list, and others as long as there is room."""
        size = sum(_TAG_BYTES + len(str(tag)) for tag in tags)
        self._seen.keep(name, _Seen(tags, now), size)


def page_of(tags: Tags, after: str, limit: int | None) -> Tags:
    """Cut a page from a sorted list."""
    start = bisect_right(tags, after, key=_text)
    return tags[start:] if limit is None else tags[start : start + limit]


def _text(tag: Tag) -> str:
    return str(tag)
