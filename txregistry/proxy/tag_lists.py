"""Cached lists of tags from an upstream.

Upstreams have different orders, so the whole list is requested and pages are cut from
it. A client that reads all pages costs the upstream one list.
"""

from __future__ import annotations

from bisect import bisect_right

import attrs

from txregistry.flow.sized import SizedCache
from txregistry.interfaces.tags import Tags
from txregistry.spec.freshness import Freshness, TagPolicy
from txregistry.spec.reference import RepositoryName, Tag

#: Bytes of memory for all lists together; a longer list is not cached.
MAX_BYTES = 16 * 1024 * 1024

#: Approximate bytes of a tag beside its characters.
_TAG_BYTES = 150


@attrs.frozen
class _Seen:
    tags: Tags
    confirmed_at: float


@attrs.define(eq=False)
class TagLists:
    """The lists of all repositories; the one renewed longest ago is evicted first."""

    _policy: TagPolicy
    _seen: SizedCache[RepositoryName, _Seen] = attrs.field(
        factory=lambda: SizedCache(MAX_BYTES)
    )

    def find(self, name: RepositoryName, now: float) -> Tags | None:
        """Return a list, if it is fresh."""
        seen = self._seen.get(name)
        if seen and self._policy.judge(seen.confirmed_at, now) is Freshness.FRESH:
            return seen.tags
        return None

    def remember(self, name: RepositoryName, tags: Tags, now: float) -> None:
        """Cache a list; older ones may be evicted."""
        size = sum(_TAG_BYTES + len(str(tag)) for tag in tags)
        self._seen.put(name, _Seen(tags, now), size)


def page_of(tags: Tags, after: str, limit: int | None) -> Tags:
    """Cut a page from a sorted list."""
    start = bisect_right(tags, after, key=_text)
    return tags[start:] if limit is None else tags[start : start + limit]


def _text(tag: Tag) -> str:
    return str(tag)
