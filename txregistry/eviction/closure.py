"""All that pinned images need: manifests, platforms, layers, what refers to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import cast

import attrs
from twisted.internet.interfaces import IReactorTime

from txregistry.flow.deferred import deferred
from txregistry.flow.turns import Turns
from txregistry.interfaces.manifests import IManifestStore
from txregistry.interfaces.namespace import INamespace, IRepository
from txregistry.interfaces.tags import ITagStore
from txregistry.spec.digest import Digest
from txregistry.spec.errors import ManifestUnknown, NameUnknown
from txregistry.spec.images import ImagePattern
from txregistry.spec.manifest.model import Manifest
from txregistry.spec.mediatypes import INDEX_TYPES
from txregistry.spec.reference import RepositoryName

#: Repositories, tags and referrers that are asked for together.
_PAGE = 200

#: Gives what a stored repository is called.
Called = Callable[[RepositoryName], Iterable[str]]


@attrs.define(eq=False)
class NeededContent:
    """Digests and tags, as short as they can be told apart: there may be millions."""

    _digests: set[bytes] = attrs.field(factory=set)
    _tags: set[tuple[str, str]] = attrs.field(factory=set)

    def add(self, digest: Digest) -> None:
        """Add a digest."""
        self._digests.add(_short(digest))

    def add_tag(self, name: str, tag: str) -> None:
        """Add a tag of a repository."""
        self._tags.add((name, tag))

    def has(self, digest: Digest) -> bool:
        """Tell whether a digest is needed."""
        return _short(digest) in self._digests

    def has_tag(self, name: str, tag: str) -> bool:
        """Tell whether a tag is needed."""
        return (name, tag) in self._tags


@attrs.define(eq=False)
class Closure:
    """Reads stored manifests from the tags of pinned images on.

    :param called: gives the names of a stored repository.
    """

    _namespace: INamespace
    _called: Called
    _clock: IReactorTime

    def follow(self, called: Called) -> None:
        """Use other names of repositories."""
        self._called = called

    @deferred
    async def of(self, patterns: Sequence[ImagePattern]) -> NeededContent:
        """Fire with all that is needed; fails with a ``DriverError``."""
        needed, after = NeededContent(), ""
        while patterns:
            names = await self._namespace.repositories(after=after, limit=_PAGE)
            if not names:
                break
            after = str(names[-1])
            for name in names:
                matching = list(self._matching(name, patterns))
                if matching:
                    repository = await self._namespace.repository(name=name)
                    await self._add_repository(repository, matching, needed)
        return needed

    def _matching(
        self, name: RepositoryName, patterns: Sequence[ImagePattern]
    ) -> Iterator[ImagePattern]:
        called = list(self._called(name))
        for pattern in patterns:
            if any(pattern.names.matches(text) for text in called):
                yield pattern

    @deferred
    async def _add_repository(
        self,
        repository: IRepository,
        patterns: Sequence[ImagePattern],
        needed: NeededContent,
    ) -> None:
        roots = [pattern.digest for pattern in patterns if pattern.digest is not None]
        globs = [pattern.tags for pattern in patterns if pattern.tags is not None]
        after, tags = "", cast(ITagStore, repository.tags)
        while globs:
            try:
                page = await tags.list(after=after, limit=_PAGE)
            except NameUnknown:
                break
            if not page:
                break
            after = str(page[-1])
            for tag in page:
                if not any(glob.matches(str(tag)) for glob in globs):
                    continue
                needed.add_tag(str(repository.name), str(tag))
                try:
                    roots.append((await tags.get(tag=tag)).digest)
                except ManifestUnknown:
                    continue  # it was removed since
        await self._add_images(repository, roots, needed)

    @deferred
    async def _add_images(
        self, repository: IRepository, roots: list[Digest], needed: NeededContent
    ) -> None:
        """Descend from manifests, also to what another repository has as well."""
        turns, waiting, seen = Turns(self._clock, 16), list(roots), set[Digest]()
        while waiting:
            await turns.take()
            digest = waiting.pop()
            if digest not in seen:
                seen.add(digest)
                needed.add(digest)
                waiting += await self._add_image(repository, digest, needed)

    @deferred
    async def _add_image(
        self, repository: IRepository, digest: Digest, needed: NeededContent
    ) -> list[Digest]:
        """Add what a manifest names; fire with further manifests."""
        manifests = cast(IManifestStore, repository.manifests)
        try:
            manifest: Manifest = await manifests.get(digest=digest)
        except ManifestUnknown:
            return []  # not every platform is stored
        named = [found.digest for found in manifest.references]
        for found in named:
            needed.add(found)
        children = named if manifest.media_type in INDEX_TYPES else []
        return children + await self._referrers(repository, digest)

    @deferred
    async def _referrers(self, repository: IRepository, digest: Digest) -> list[Digest]:
        found, after = [], ""
        while True:
            page = await repository.referrers.list(
                digest=digest, after=after, limit=_PAGE
            )
            found += [referrer.descriptor.digest for referrer in page]
            if len(page) < _PAGE:
                return found
            after = str(found[-1])


def _short(digest: Digest) -> bytes:
    return bytes.fromhex(digest.hex[:32])
