"""What a cache knows of the tags of one repository: its memory, and what is stored."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.defer import Deferred

from txregistry.flow.deferred import deferred
from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.expiry import Entry, EntryKey, Kind
from txregistry.interfaces.manifests import IManifestStore
from txregistry.interfaces.tags import ITagStore
from txregistry.proxy.context import CacheContext
from txregistry.proxy.tag_answers import SeenTag, remember_answer
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.errors import ManifestUnknown
from txregistry.spec.freshness import Freshness
from txregistry.spec.manifest.model import Manifest
from txregistry.spec.reference import RepositoryName, Tag


@attrs.define(eq=False)
class KnownTags:
    """Remembers and stores what the upstream has said of tags.

    :param store_manifest: fires with whether a manifest is stored.
    """

    _name: RepositoryName
    _local: ITagStore
    _manifests: IManifestStore
    _store_manifest: Callable[[Manifest], Deferred[bool]]
    _cache: CacheContext

    def seen(self, tag: Tag) -> SeenTag | None:
        """Return the upstream's last answer about a tag, if this node has it."""
        return self._cache.answers.get((self._name, tag))

    def stored(self, tag: Tag) -> Deferred[Descriptor]:
        """Fire with what is stored of a tag; fail with ``ManifestUnknown``."""
        return self._local.get(tag=tag)

    def touch(self, tag: Tag, now: float) -> None:
        """Note a use of a tag."""
        self._cache.usage.touch(self._key(tag), now)

    def touch_manifest(self, descriptor: Descriptor, now: float) -> None:
        """Note a use of a manifest: a HEAD by tag does not read it."""
        key = EntryKey(self._name, Kind.MANIFEST, str(descriptor.digest))
        self._cache.usage.touch(key, now)

    @deferred
    async def recall(self, tag: Tag) -> Descriptor | None:
        """Fire with what is stored, if another node has confirmed it lately.

        What was confirmed before this cache began may be about other credentials. What
        this node was told itself is among its answers.
        """
        if not self._cache.confirmations.is_shared:
            return None
        now = self._cache.clock.seconds()
        try:
            stored = await self._local.get(tag=tag)
        except ManifestUnknown:
            return None
        key, digest = self._key(tag), stored.digest
        confirmed_at = await self._cache.tag_confirmed_at(key, digest)
        if confirmed_at is None or confirmed_at < self._cache.started_at:
            return None
        if self._cache.policy.judge(confirmed_at, now) is not Freshness.FRESH:
            return None
        try:
            manifest = await self._manifests.get(digest=stored.digest)
        except ManifestUnknown:
            return None
        self._remember(tag, SeenTag(manifest.descriptor, confirmed_at))
        return manifest.descriptor

    @deferred
    async def record(self, tag: Tag, found: Descriptor | Manifest) -> Descriptor:
        """Store the upstream's answer; fire with its best descriptor."""
        now = self._cache.clock.seconds()
        if isinstance(found, Manifest):
            is_stored = await self._store_manifest(found)
            seen = SeenTag(found.descriptor, now)
            if not is_stored:
                self._remember(tag, seen)
                return seen.descriptor
        else:
            seen = SeenTag(found, now, is_hint=True)
        self._remember(tag, seen)
        self._cache.usage.add(Entry(self._key(tag), 0, now))
        seen = await self.complete(tag, seen)
        await self._link(tag, seen)
        return seen.descriptor

    @deferred
    async def complete(self, tag: Tag, seen: SeenTag) -> SeenTag:
        """Fire with the answer; replace a hint by the stored manifest's descriptor."""
        if not seen.is_hint:
            return seen
        try:
            manifest = await self._manifests.get(digest=seen.descriptor.digest)
        except ManifestUnknown:
            return seen
        known = SeenTag(manifest.descriptor, seen.confirmed_at)
        if self._cache.answers.get((self._name, tag)) == seen:
            self._remember(tag, known)
        return known

    @deferred
    async def _link(self, tag: Tag, seen: SeenTag) -> None:
        if seen.is_hint:
            self._cache.pending.add(self._name, tag, seen.descriptor.digest)
            return
        self._cache.pending.discard(self._name, tag)
        try:
            await self._local.tag(tag=tag, descriptor=seen.descriptor)
        except DriverError as error:
            self._cache.pass_over("tag", error)
            return
        self._cache.confirm_tag(self._key(tag), seen.descriptor.digest)

    @deferred
    async def confirmed_at(self, tag: Tag, stored: Descriptor) -> float:
        """Fire with when the upstream last said that a tag is what is stored of it."""
        seen = self._cache.answers.get((self._name, tag))
        if seen is not None and seen.descriptor.digest == stored.digest:
            return seen.confirmed_at
        found = await self._cache.tag_confirmed_at(self._key(tag), stored.digest)
        # Without a ledger, tags count as confirmed at the start of this cache.
        return self._cache.started_at if found is None else found

    @deferred
    async def adopt(
        self, tag: Tag, descriptor: Descriptor, confirmed_at: float
    ) -> None:
        """Let a tag stand for a stored manifest; see :class:`ITagAdopter`."""
        key = self._key(tag)
        self._cache.pending.discard(self._name, tag)
        self._cache.usage.add(Entry(key, 0, self._cache.clock.seconds()))
        await self._local.tag(tag=tag, descriptor=descriptor)
        self._cache.confirm_tag(key, descriptor.digest, confirmed_at)
        self._remember(tag, SeenTag(descriptor, confirmed_at))

    @deferred
    async def delete(self, tag: Tag) -> None:
        """Delete the tag, as the upstream has."""
        self.forget(tag)
        self._cache.pending.discard(self._name, tag)
        self._cache.usage.forget(self._key(tag))
        try:
            await self._local.untag(tag=tag)
        except ManifestUnknown:
            return  # it was not stored

    def _remember(self, tag: Tag, seen: SeenTag) -> None:
        before = self._cache.answers.get((self._name, tag))
        remember_answer(self._cache.answers, self._name, tag, seen)
        if before is None or before.descriptor.digest != seen.descriptor.digest:
            # Whoever is told of it is not to be followed by the older one.
            self._cache.changes.note(str(self._name))

    def forget(self, tag: Tag) -> None:
        """Forget the last answer about a tag; what is stored stays."""
        self._cache.answers.pop((self._name, tag))
        self._cache.changes.note(str(self._name))

    def _key(self, tag: Tag) -> EntryKey:
        return EntryKey(self._name, Kind.TAG, str(tag))
