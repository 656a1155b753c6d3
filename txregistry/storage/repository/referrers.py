"""Who refers to the manifests of one local repository.

From the index; and, for images whose referrers were pushed before there was an API,
from the index manifest under the tag ``<alg>-<hex>`` (OCI distribution-spec,
"Referrers Tag Schema").

Note [Lists that anybody has pushed]. Such a manifest may have 27,000 entries, and a
page is gathered a few at a time. So it is parsed once, in turns, and kept, as it cannot
change; the index says which of its entries exist, some hundred at a time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import islice

import attrs
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.flights import Flights
from txregistry.flow.sized import SizedCache
from txregistry.flow.turns import Turns
from txregistry.interfaces.manifests import IManifestService
from txregistry.interfaces.referrers import IReferrerService, Referrer, Referrers
from txregistry.interfaces.tags import ITagService
from txregistry.spec import mediatypes
from txregistry.spec.digest import Digest
from txregistry.spec.errors import ManifestUnknown
from txregistry.spec.manifest.listing import valid_entries_of
from txregistry.spec.reference import RepositoryName, schema_tag
from txregistry.storage.index.names import Names

#: Entries of such a list that are read; the rest is ignored.
MAX_ENTRIES = 10_000

#: Bytes of memory for all parsed lists together.
MAX_BYTES = 16 * 1024 * 1024

#: Entries that are parsed, or queried, before other work gets its turn.
_PER_TURN = 256


@attrs.define(eq=False)
class TaggedLists:
    """The parsed lists of all repositories; see the note.

    Content never changes, so they are kept by the digest of their manifest.
    """

    _clock: IReactorTime
    _read: SizedCache[Digest, Referrers] = attrs.field(
        factory=lambda: SizedCache(MAX_BYTES)
    )
    _reading: Flights[Digest, Referrers] = attrs.field(factory=Flights)

    @deferred
    async def entries(self, digest: Digest, content: bytes) -> Referrers:
        """Fire with the entries of a list, each once, sorted by digest."""
        known = self._read.get(digest)
        if known is not None:
            return known
        return await self._reading.join(digest, lambda: self._gather(digest, content))

    @deferred
    async def _gather(self, digest: Digest, content: bytes) -> Referrers:
        found: dict[str, Referrer] = {}
        turns = Turns(self._clock, _PER_TURN)
        for entry in islice(valid_entries_of(content), MAX_ENTRIES):
            referrer = Referrer(*entry)
            found[_key(referrer)] = referrer
            await turns.take()
        entries = [found[key] for key in sorted(found)]
        self._read.put(digest, entries, sum(item.memory_bytes for item in entries))
        return entries


@implementer(IReferrerService)
@attrs.define(eq=False)
class IndexedReferrers:
    """Referrers from the index and from the tag schema."""

    _name: RepositoryName
    _names: Names
    _tags: ITagService
    _manifests: IManifestService
    _lists: TaggedLists
    page_size: int | None = 16

    @deferred
    async def list(
        self,
        digest: Digest,
        artifact_type: str | None = None,
        after: str = "",
        limit: int | None = None,
    ) -> Referrers:
        """Fire with a page of referrers, sorted by digest, each once."""
        known = await self._names.referrers(
            self._name, digest, artifact_type, after, limit
        )
        older = await self._older(digest, artifact_type, after, limit)
        merged = {_key(referrer): referrer for referrer in [*older, *known]}
        return [merged[key] for key in sorted(merged)][:limit]

    @deferred
    async def _older(
        self, subject: Digest, artifact_type: str | None, after: str, limit: int | None
    ) -> Referrers:
        """Fire with the first entries of a tagged list that exist."""
        entries = await self._by_tag(subject)
        wanted = [
            item
            for item in entries[bisect_right(entries, after, key=_key) :]
            if artifact_type in (None, item.artifact_type)
        ]
        found: Referrers = []
        for some in _parts(wanted):
            digests = [item.descriptor.digest for item in some]
            there = await self._names.manifests(self._name, digests)
            found += [item for item in some if item.descriptor.digest in there]
            if limit is not None and len(found) >= limit:
                break
        return found[:limit]

    @deferred
    async def _by_tag(self, subject: Digest) -> Referrers:
        try:
            tagged = await self._tags.get(tag=schema_tag(subject))
            manifest = await self._manifests.get(digest=tagged.digest)
        except ManifestUnknown:
            return []
        if manifest.media_type != mediatypes.OCI_INDEX:
            return []
        return await self._lists.entries(manifest.digest, manifest.content)


def _parts(items: Sequence[Referrer]) -> Iterator[Sequence[Referrer]]:
    for begin in range(0, len(items), _PER_TURN):
        yield items[begin : begin + _PER_TURN]


def _key(referrer: Referrer) -> str:
    return str(referrer.descriptor.digest)
