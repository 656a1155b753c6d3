"""Repository middleware in one module: tags that never move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import attrs
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.wrapper import Wrapper
from txregistry.interfaces.middleware import IRepositoryMiddleware, Services
from txregistry.interfaces.namespace import IRepository
from txregistry.interfaces.tags import ITagService
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.errors import Denied, ManifestUnknown
from txregistry.spec.manifest.model import Manifest
from txregistry.spec.reference import Tag


def make(options: Mapping[str, Any], services: Services) -> IRepositoryMiddleware:
    """Make it of ``tags``, a pattern such as ``v*``."""
    return Frozen(str(options.get("tags", "*")))


@implementer(IRepositoryMiddleware)
@attrs.frozen
class Frozen:
    """Lets tags that fit a pattern be pushed once."""

    _pattern: str

    def wrap(self, repository: IRepository) -> IRepository:
        """Give the repository with manifests that look at its tags first."""
        wrapped: Any = Wrapper(repository)
        wrapped.manifests = FrozenManifests(repository, self._pattern)
        return wrapped


class FrozenManifests(Wrapper):
    """The manifests of a repository, of which a cache cannot put any."""

    def __init__(self, repository: IRepository, pattern: str) -> None:
        super().__init__(repository.manifests)
        self._tags: ITagService = repository.tags
        self._pattern = pattern

    @deferred
    async def put(self, manifest: Manifest, tags: Sequence[Tag] = ()) -> Descriptor:
        """Store a manifest; fail with ``Denied`` if a tag is another one's.

        Of two clients that push a tag for the first time, at once, both may succeed.
        """
        for tag in tags:
            await self._check(tag, manifest)
        done: Descriptor = await self.wrapped.put(manifest=manifest, tags=tags)
        return done

    async def _check(self, tag: Tag, manifest: Manifest) -> None:
        if not fnmatchcase(str(tag), self._pattern):
            return
        try:
            found = await self._tags.get(tag=tag)
        except ManifestUnknown:
            return
        if found.digest != manifest.digest:
            raise Denied({"tag": str(tag), "reason": "this tag never moves"})
