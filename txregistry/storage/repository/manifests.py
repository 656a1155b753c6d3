"""The manifests of one local repository."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.turns import Turns
from txregistry.interfaces.blobs import IBlobDescriptorService
from txregistry.interfaces.driver import (
    Change,
    DriverError,
    IStorageDriver,
    PathNotFound,
    PutFile,
)
from txregistry.interfaces.expiry import EntryKey, Kind
from txregistry.interfaces.manifests import IManifestStore, PartlyDeleted
from txregistry.interfaces.signatures import ISignatureService
from txregistry.interfaces.tags import ITagStore, Tags
from txregistry.spec import mediatypes
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import CANONICAL, Digest
from txregistry.spec.errors import ManifestInvalid, ManifestUnknown, Unavailable
from txregistry.spec.manifest import jws, lenient
from txregistry.spec.manifest.model import Manifest
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storage.caches.repository_cache import RepositoryCache
from txregistry.storage.content.store import Content
from txregistry.storage.index import statements
from txregistry.storage.index.reconcile import Reconciler
from txregistry.storage.repository.tags import tag_changes
from txregistry.storage.tree import layout
from txregistry.storage.tree.links import Links
from txregistry.storage.tree.walk import revisions_in_tree


@implementer(IManifestStore)
@attrs.define(eq=False)
class LinkedManifests:
    """Manifests to which a repository's links give access.

    Every read is verified: content that does not match its digest is missing. Manifests
    that were read are cached; where others change links as well, each time the link is
    read first.
    """

    _name: RepositoryName
    _driver: IStorageDriver
    _content: Content
    _cache: RepositoryCache[Manifest]
    _descriptors: IBlobDescriptorService
    _tags: ITagStore
    _signatures: ISignatureService
    _reconciler: Reconciler
    _clock: IReactorTime

    @deferred
    async def exists(self, digest: Digest) -> bool:
        """Fire with whether there is a link and the content it names."""
        try:
            await self.get(digest)
        except ManifestUnknown:
            return False
        return True

    def get(self, digest: Digest) -> Deferred[Manifest]:
        """Fire with a manifest, verbatim."""
        known = self._cache.find(self._name, digest)
        if known is None:
            return self._load(digest)
        if self._driver.is_shared:
            return self._confirm(digest, known)
        return succeed(known)

    @deferred
    async def _confirm(self, digest: Digest, known: Manifest) -> Manifest:
        is_whole = known.media_type not in mediatypes.SCHEMA1_TYPES  # no signatures
        if is_whole and await self._link(digest) == known.digest:
            return known
        self._cache.drop(self._name, digest)
        return await self._load(digest)

    @deferred
    async def _load(self, digest: Digest) -> Manifest:
        canonical = await self._link(digest)
        if canonical is None:
            raise ManifestUnknown(str(digest))
        try:
            content = await self._driver.get(layout.blob_data(canonical))
        except PathNotFound as error:
            raise ManifestUnknown(str(digest)) from error
        manifest = await self._read(canonical, content)
        if await self._link(digest) != canonical:
            raise ManifestUnknown(str(digest))  # deleted while it was read
        self._cache.remember(self._name, digest, manifest)
        return manifest

    @deferred
    async def put(self, manifest: Manifest, tags: Sequence[Tag] = ()) -> Descriptor:
        """Store a manifest durably, link it and tag it in one step."""
        signatures, content = jws.split_signatures(manifest)
        await self.pin(manifest)
        # Signatures accumulate over several pushes.
        self._cache.drop(self._name, manifest.digest)
        keys = [(self._name, tag) for tag in sorted(set(tags), key=str)]
        await self._content.locks.run(
            manifest.digest,
            lambda: self._reconciler.tagging.run_all(
                keys, lambda: self._store(manifest, content, tags)
            ),
        )
        if signatures:
            await self._signatures.put(manifest.digest, *signatures)
        return manifest.descriptor

    @deferred
    async def names(self, digest: Digest) -> bool:
        """Fire with whether one of the manifests references some content."""
        revisions = revisions_in_tree(self._driver, self._name)
        async for revision in Turns(self._clock).over(revisions):
            try:
                manifest = await self.get(revision)
            except ManifestUnknown:
                continue  # a link to nothing
            if any(found.digest == digest for found in manifest.references):
                return True
        return False

    @deferred
    async def pin(self, manifest: Manifest) -> None:
        """Spare a manifest and what it refers to; see Note [Pins]."""
        named = [await self._canonical(found.digest) for found in manifest.references]
        wanted = [manifest.digest, *named]
        self._content.pins.pin(*wanted)
        for digest in wanted:
            self._content.pins.use(digest)
        turns = Turns(self._clock)
        for digest in wanted:
            await self._content.locks.settle(digest)
            await turns.take()

    @deferred
    async def _canonical(self, digest: Digest) -> Digest:
        """Fire with the digest under which content is stored: links may use another."""
        if digest.algorithm == CANONICAL:
            return digest
        link = layout.layer_link(self._name, digest)
        return await Links(self._driver).read(link) or digest

    @deferred
    async def mount(self, digest: Digest) -> Manifest:
        """Link a manifest whose content is there."""
        return await self._content.locks.run(digest, lambda: self._mount(digest))

    @deferred
    async def _link(self, digest: Digest) -> Digest | None:
        links = Links(self._driver)
        found = await links.read(layout.revision_link(self._name, digest))
        if found is None and await self._is_old_style(digest):
            found = await links.read(layout.layer_link(self._name, digest))
        return found

    @deferred
    async def _is_old_style(self, digest: Digest) -> bool:
        """Tell whether 2.1.0 left signatures of a revision linked as a layer."""
        try:
            await self._driver.stat(path=layout.signatures(self._name, digest))
            await self._driver.stat(path=layout.revision_link(self._name, digest))
        except PathNotFound as missing:
            return missing.path == layout.revision_link(self._name, digest)
        return False

    def delete(self, digest: Digest) -> Deferred[Tags]:
        """Unlink a manifest from this repository, and the tags that stand for it."""
        return self._content.locks.run(digest, lambda: self._delete(digest))

    def collect(self, digest: Digest, since: float) -> Deferred[bool]:
        """Unlink an unreachable manifest, unless it was used after a time."""
        return self._content.locks.run(digest, lambda: self._collect(digest, since))

    @deferred
    async def _collect(self, digest: Digest, since: float) -> bool:
        if self._content.pins.spares(digest, since):
            return False
        if await self._link(digest) is None:
            return False
        with suppress(Unavailable):  # which is told later
            await self._descriptors.clear(digest=digest)
        await self._delete_linked(digest)
        return True

    @deferred
    async def _delete(self, digest: Digest) -> Tags:
        if await self._link(digest) is None:
            raise ManifestUnknown(str(digest))
        # Docker's registry remembers manifests as blobs, in a cache that is believed.
        # While it is away nothing is deleted.
        await self._descriptors.clear(digest=digest)
        return await self._delete_linked(digest)

    @deferred
    async def _delete_linked(self, digest: Digest) -> Tags:
        untagged: Tags = []
        try:
            await self._remove(digest, untagged)
        except DriverError as error:
            if untagged:
                raise PartlyDeleted(untagged, f"storage: {error.reason}") from error
            raise
        fact = statements.manifest_gone(self._name, digest)
        await self._reconciler.removed(self._name, fact)
        return untagged

    @deferred
    async def _remove(self, digest: Digest, untagged: Tags) -> None:
        # Tags first: a dangling tag would be worse than none.
        await self._untag(digest, untagged)
        self._cache.drop(self._name, digest)
        try:
            await self._unlink(digest)
        finally:
            # A concurrent lookup may have re-cached it.
            self._cache.drop(self._name, digest)

    @deferred
    async def _untag(self, digest: Digest, untagged: Tags) -> None:
        for tag in await self._tags.lookup(digest=digest):
            try:
                await self._tags.untag(tag=tag, digest=digest)
            except ManifestUnknown:
                continue  # the tag was moved or deleted since
            untagged.append(tag)

    @deferred
    async def _unlink(self, digest: Digest) -> None:
        links = Links(self._driver)
        old_style = await self._is_old_style(digest)
        if old_style:  # the link first: without signatures it would be one of a layer
            layer = layout.layer_link(self._name, digest)
            await links.remove(layer, layout.REPOSITORIES)
        revision = layout.revision(self._name, digest)
        await links.remove(revision, layout.REPOSITORIES)
        self._content.unlinked(self._key(digest))

    def _key(self, digest: Digest) -> EntryKey:
        return EntryKey(self._name, Kind.MANIFEST, str(digest))

    @deferred
    async def _mount(self, digest: Digest) -> Manifest:
        try:
            content = await self._driver.get(layout.blob_data(digest))
        except PathNotFound as error:
            raise ManifestUnknown(str(digest)) from error
        manifest = await self._read(digest, content)
        self._content.pin(digest)
        link = layout.revision_link(self._name, digest)
        await Links(self._driver).write(link, digest)
        self._content.linked(self._key(digest), digest)
        self._record(manifest)
        return manifest

    def _record(self, manifest: Manifest, tags: Sequence[Tag] = ()) -> None:
        tagged = [statements.tag_set(self._name, tag, manifest.digest) for tag in tags]
        fact = statements.manifest_added(self._name, manifest)
        self._reconciler.added(self._name, fact, *tagged)

    @deferred
    async def _read(self, digest: Digest, content: bytes) -> Manifest:
        if Digest.of(content, digest.algorithm) != digest:
            self._content.damage.report(digest)
            raise ManifestUnknown(str(digest))
        try:
            manifest = lenient.read(content, algorithm=digest.algorithm)
        except ManifestInvalid as error:
            # A layer was requested as a manifest, by a link of the old style.
            raise ManifestUnknown(str(digest)) from error
        if manifest.media_type not in mediatypes.SCHEMA1_TYPES:
            return manifest
        signatures = await self._signatures.get(digest=digest)
        return jws.join_signatures(manifest, signatures)

    @deferred
    async def _store(
        self, manifest: Manifest, content: bytes, tags: Sequence[Tag]
    ) -> None:
        digest, links = manifest.digest, Links(self._driver)
        changes = await self._content_changes(digest, content)
        changes += await links.change(layout.revision_link(self._name, digest), digest)
        for tag in tags:
            changes += await tag_changes(links, self._name, tag, digest)
        await links.apply(changes)
        self._content.linked(self._key(digest), digest)
        self._record(manifest, tags)

    @deferred
    async def _content_changes(self, digest: Digest, content: bytes) -> list[Change]:
        path = layout.blob_data(digest)
        try:
            if await self._driver.get(path=path) == content:
                return []
        except PathNotFound:
            pass  # it is new
        return [PutFile(path, content)]
