"""An upstream with equivalent mirrors, which are asked before it.

Each has a client of its own, with its own connections, circuit and tokens. One that is
down, slow or refuses is passed over, and what it does not have the next one may: only
the answer of the last one, which is the upstream itself, is final. Content is known by
its digest, wherever it comes from; what a tag stands for is believed of any of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar, cast

import attrs
from twisted.internet.defer import Deferred
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.lru import Lru
from txregistry.interfaces.blobs import IBlobReader, IBlobResumer, IBlobService
from txregistry.interfaces.manifests import IManifestService
from txregistry.interfaces.namespace import INamespace, IRepository
from txregistry.interfaces.referrers import IReferrerService, Referrers
from txregistry.interfaces.tags import IRemoteTags, Tags
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import RegistryError
from txregistry.spec.manifest.model import Manifest
from txregistry.spec.reference import RepositoryName, Tag

S = TypeVar("S")
R = TypeVar("R")

#: Blobs of which is remembered who sent them last.
_REMEMBERED = 10_000


async def first_answer(
    sources: Sequence[S], ask: Callable[[S], Awaitable[R]], first: int = 0
) -> tuple[R, int]:
    """Ask one source after the other until one answers.

    :param first: the index of the one to begin with; those before it come last.
    :return: the answer, and the index of who gave it. If nobody does, it fails as the
        last of the sources did, whatever the order.
    """
    final: RegistryError | None = None
    order = [*range(first, len(sources)), *range(first)]
    for index in order:
        try:
            return await ask(sources[index]), index
        except RegistryError as error:
            if index == len(sources) - 1:
                final = error
    assert final is not None
    raise final


@implementer(IBlobService, IBlobResumer)
@attrs.define(eq=False)
class MirroredBlobs:
    """The blobs of one repository at an upstream and its mirrors.

    A blob that is opened again, or gone on with, is asked of the next source: the last
    one may have sent it broken.
    """

    _sources: Sequence[IBlobService]
    _last: Lru[Digest, int] = attrs.field(factory=lambda: Lru(_REMEMBERED))

    @deferred
    async def stat(self, digest: Digest) -> Descriptor:
        """Fire with a blob's descriptor, unverified."""
        found, _ = await first_answer(
            self._sources, lambda source: source.stat(digest=digest)
        )
        return found

    @deferred
    async def open(self, digest: Digest) -> IBlobReader:
        """Request a blob."""
        reader, index = await first_answer(
            self._sources, lambda source: source.open(digest=digest), self._next(digest)
        )
        self._last.put(digest, index)
        return reader

    @deferred
    async def open_from(
        self, digest: Digest, offset: int, validator: str | None
    ) -> IBlobReader:
        """Request the rest of a blob; see :class:`IBlobResumer`."""
        # An entity tag of one source says nothing to another.
        before, known = self._last.get(digest), self._next(digest)
        same = validator if before == known else None
        reader, index = await first_answer(
            self._sources,
            lambda source: cast(IBlobResumer, source).open_from(
                digest=digest, offset=offset, validator=same
            ),
            known,
        )
        self._last.put(digest, index)
        return reader

    def _next(self, digest: Digest) -> int:
        last = self._last.get(digest)
        return 0 if last is None else (last + 1) % len(self._sources)


@implementer(IManifestService)
@attrs.frozen
class MirroredManifests:
    """The manifests of one repository at an upstream and its mirrors."""

    _sources: Sequence[IManifestService]

    @deferred
    async def exists(self, digest: Digest) -> bool:
        """Fire with whether one of them has a manifest."""
        *mirrors, upstream = self._sources
        for source in mirrors:
            try:
                if await source.exists(digest=digest):
                    return True
            except RegistryError:
                continue
        return await upstream.exists(digest=digest)

    @deferred
    async def get(self, digest: Digest) -> Manifest:
        """Fire with a manifest."""
        found, _ = await first_answer(
            self._sources, lambda source: source.get(digest=digest)
        )
        return found


@implementer(IRemoteTags)
@attrs.frozen
class MirroredTags:
    """The tags of one repository at an upstream and its mirrors."""

    _sources: Sequence[IRemoteTags]

    @deferred
    async def get(self, tag: Tag) -> Descriptor:
        """Fire with what a tag stands for."""
        found, _ = await first_answer(self._sources, lambda source: source.get(tag=tag))
        return found

    @deferred
    async def resolve(self, tag: Tag) -> Descriptor | Manifest:
        """Fire with what a tag stands for; see :class:`IRemoteTags`."""
        found, _ = await first_answer(
            self._sources, lambda source: source.resolve(tag=tag)
        )
        return found

    def forget_missing(self, tag: Tag) -> None:
        """Ask each source for a tag next time; see :class:`IRemoteTags`."""
        for source in self._sources:
            source.forget_missing(tag=tag)

    @deferred
    async def fetch(self, tag: Tag) -> Manifest:
        """Fire with a tag's manifest."""
        found, _ = await first_answer(
            self._sources, lambda source: source.fetch(tag=tag)
        )
        return found

    @deferred
    async def list(self, after: str = "", limit: int | None = None) -> Tags:
        """Fire with a page of the tags."""
        found, _ = await first_answer(
            self._sources, lambda source: source.list(after=after, limit=limit)
        )
        return found


@implementer(IReferrerService)
@attrs.frozen
class MirroredReferrers:
    """The referrers in one repository at an upstream and its mirrors.

    An empty list of a mirror counts as none: it may not copy signatures.
    """

    _sources: Sequence[IReferrerService]
    page_size: int | None = None

    @deferred
    async def list(
        self,
        digest: Digest,
        artifact_type: str | None = None,
        after: str = "",
        limit: int | None = None,
    ) -> Referrers:
        """Fire with a page of referrers."""
        *mirrors, upstream = self._sources
        for source in (*mirrors, upstream):
            try:
                found: Referrers = await source.list(
                    digest=digest, artifact_type=artifact_type, after=after, limit=limit
                )
            except RegistryError:
                if source is upstream:
                    raise
                continue
            if found:
                return found
        return []


@implementer(IRepository)
@attrs.frozen
class MirroredRepository:
    """One repository of an upstream that has mirrors."""

    name: RepositoryName
    blobs: MirroredBlobs
    manifests: MirroredManifests
    tags: MirroredTags
    referrers: MirroredReferrers


@implementer(INamespace)
@attrs.define(eq=False)
class MirroredNamespace:
    """The repositories of an upstream that has mirrors.

    :param sources: the mirrors in the order in which they are asked, and the upstream.
    """

    _sources: Sequence[INamespace]

    @deferred
    async def repository(self, name: RepositoryName) -> IRepository:
        """Fire with a repository, without checking that it exists."""
        found = [await source.repository(name=name) for source in self._sources]
        return MirroredRepository(
            name,
            MirroredBlobs([each.blobs for each in found]),
            MirroredManifests([each.manifests for each in found]),
            MirroredTags([cast(IRemoteTags, each.tags) for each in found]),
            MirroredReferrers([each.referrers for each in found]),
        )

    def repositories(
        self, after: str = "", limit: int | None = None
    ) -> Deferred[list[RepositoryName]]:
        """Fire with one page of the upstream's own catalogue."""
        return self._sources[-1].repositories(after=after, limit=limit)
