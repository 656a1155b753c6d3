"""Remove cached images before they expire."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import attrs
from twisted.internet.defer import Deferred

from txregistry.flow.deferred import deferred
from txregistry.images.closure import walk_image
from txregistry.images.explain import is_here, stored_digest
from txregistry.interfaces.expiry import Entry, EntryKey, IInventory, IUsage, Kind
from txregistry.interfaces.images import ImagesRefused, PurgedImages
from txregistry.interfaces.namespace import INamespace, IRepository
from txregistry.spec.digest import Digest
from txregistry.spec.imagename import ImageName
from txregistry.spec.reference import RepositoryName, Tag

#: Tags of a repository that are looked at together.
_PAGE = 1000

#: Unlinks an entry from its repository, and deletes content that nobody links then.
Remove = Callable[[Entry], Deferred[None]]


@attrs.define(eq=False)
class Purger:
    """Removes what is cached, as if it had expired.

    What is being read is deleted when nobody reads it any more. Everything fails with
    :class:`ImagesRefused` until the tree was scanned: who links what is not known.

    :param is_ready: tells whether the tree was scanned.
    """

    _local: INamespace
    _inventory: IInventory
    _usage: IUsage
    _remove: Mapping[Kind, Remove]
    _is_ready: Callable[[], bool]

    @deferred
    async def purge(self, image: ImageName) -> PurgedImages:
        """Remove an image; see :class:`IImages`."""
        counts: Counter[Kind] = Counter()
        gone = await self._doomed(image)
        await self._remove_all([Entry(key, 0, 0.0) for key in gone], counts)
        return _report(counts)

    @deferred
    async def preview(self, image: ImageName) -> PurgedImages:
        """Tell what a purge of an image would remove, and remove nothing."""
        return _report(Counter(key.kind for key in await self._doomed(image)))

    @deferred
    async def _doomed(self, image: ImageName) -> set[EntryKey]:
        """Fire with what of an image no other tag of its repository needs."""
        self._check_ready()
        repository = await self._local.repository(name=image.repository)
        top = await stored_digest(repository, image)
        if top is None or not await repository.manifests.exists(digest=top):
            raise ImagesRefused(f"{image} is not here")
        gone = await _keys(repository, top)
        tags = await self._tags(repository)
        doomed = {tag for tag, digest in tags.items() if tag == image.tag}
        if image.tag is None:
            doomed = {tag for tag, digest in tags.items() if digest == top}
        for digest in {digest for tag, digest in tags.items() if tag not in doomed}:
            gone -= await _keys(repository, digest)
        return gone | {EntryKey(image.repository, Kind.TAG, str(tag)) for tag in doomed}

    @deferred
    async def purge_under(
        self, name: str, is_meant: Callable[[RepositoryName], bool]
    ) -> PurgedImages:
        """Remove a repository, or all below the first components of a name.

        Fails with :class:`ImagesRefused` if nothing is there.
        """
        self._check_ready()
        counts: Counter[Kind] = Counter()
        entries: list[Entry] = []
        async for entry in self._inventory.found(under=name):
            if entries and entries[0].key.repository != entry.key.repository:
                await self._remove_all(entries, counts)
                entries = []
            if is_meant(entry.key.repository):
                entries.append(entry)
        await self._remove_all(entries, counts)
        if not counts:
            raise ImagesRefused(f"nothing of {name} is here")
        return _report(counts)

    def _check_ready(self) -> None:
        if not self._is_ready():
            raise ImagesRefused("the tree is being scanned, try again soon")

    @deferred
    async def _remove_all(self, entries: list[Entry], counts: Counter[Kind]) -> None:
        """Remove what is of one repository: tags first, blobs last."""
        for entry in sorted(entries, key=lambda entry: _ORDER.index(entry.key.kind)):
            self._usage.forget(entry.key)
            await self._remove[entry.key.kind](entry)
            counts[entry.key.kind] += 1

    @deferred
    async def _tags(self, repository: IRepository) -> dict[Tag, Digest]:
        found: dict[Tag, Digest] = {}
        after, page = "", [Tag("_")]
        while page:
            page = await repository.tags.list(after=after, limit=_PAGE)
            for tag in page:
                found[tag] = (await repository.tags.get(tag=tag)).digest
            after = str(page[-1]) if page else ""
        return found


_ORDER = (Kind.TAG, Kind.MANIFEST, Kind.BLOB)


@deferred
async def _keys(repository: IRepository, top: Digest) -> set[EntryKey]:
    """Fire with the manifests and blobs of an image, as far as they are here."""
    name, found = repository.name, set[EntryKey]()
    async for part in walk_image(
        lambda digest: repository.manifests.get(digest=digest), top
    ):
        if part.manifest is not None:
            found.add(EntryKey(name, Kind.MANIFEST, str(part.descriptor.digest)))
        found |= {
            EntryKey(name, Kind.BLOB, str(blob.digest))
            for blob in part.blobs
            if await is_here(repository, blob.digest)
        }
    return found


def _report(counts: Counter[Kind]) -> PurgedImages:
    return PurgedImages(counts[Kind.TAG], counts[Kind.MANIFEST], counts[Kind.BLOB])
