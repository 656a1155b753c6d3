"""The manifests of one repository of a cache."""

from __future__ import annotations

import attrs
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.flights import Flights
from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.expiry import Entry, EntryKey, Kind
from txregistry.interfaces.manifests import IManifestService, IManifestStore
from txregistry.interfaces.observe import Count
from txregistry.interfaces.provenance import current_status
from txregistry.interfaces.tags import ITagStore
from txregistry.interfaces.transfers import IManifestAdopter
from txregistry.proxy.context import CacheContext
from txregistry.proxy.outage import is_outage
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobUnknown, ManifestUnknown, RegistryError
from txregistry.spec.manifest.model import Manifest
from txregistry.spec.reference import RepositoryName


@implementer(IManifestService, IManifestAdopter)
@attrs.define(eq=False)
class ProxyManifests:
    """Manifests that are stored, or fetched by digest."""

    _name: RepositoryName
    _local: IManifestStore
    _local_tags: ITagStore
    _remote: IManifestService
    _cache: CacheContext
    _flights: Flights[Digest, Manifest] = attrs.field(factory=Flights)

    @deferred
    async def exists(self, digest: Digest) -> bool:
        """Fire with whether a manifest is stored or the upstream has it."""
        if await self._local.exists(digest=digest):
            await self._check_access(digest)
            return True
        return await self._remote.exists(digest=digest)

    @deferred
    async def get(self, digest: Digest) -> Manifest:
        """Fire with a manifest; concurrent requests share one fetch."""
        self._cache.meter.count(Count.REQUESTS, "manifest")
        status = current_status()
        try:
            manifest = await self._local.get(digest=digest)
        except ManifestUnknown:
            status.hit, status.forward = False, "miss"
            status.collapsed = self._flights.is_under_way(digest)
            if status.collapsed:
                self._cache.meter.count(Count.COALESCED, "manifest")
            self._cache.meter.count(Count.MISSES, "manifest")
            manifest = await self._flights.join(digest, lambda: self._fetch(digest))
            status.fetched()
            self._served(manifest)
            self._cache.fills.sizes.remember(self._name, manifest.references)
            return manifest
        await self._check_access(digest)
        self._cache.fills.sizes.remember(self._name, manifest.references)
        status.served_from_cache()
        self._cache.meter.count(Count.HITS, "manifest")
        self._served(manifest)
        self._served(manifest, Count.HIT_BYTES)
        if status.is_unconfirmed:
            self._served(manifest, Count.STALE_BYTES)
        self._cache.usage.touch(self._key(digest), self._cache.clock.seconds())
        return manifest

    def _served(self, manifest: Manifest, what: Count = Count.SERVED_BYTES) -> None:
        self._cache.meter.count(what, "manifest", len(manifest.content))

    @deferred
    async def _check_access(self, digest: Digest) -> None:
        key = self._key(digest)
        if self._cache.rights.is_recent(key):
            return
        was_counted = current_status().is_unconfirmed
        is_answered = await self._cache.rights.check(key, lambda: self._confirm(digest))
        if not is_answered and not was_counted:
            self._cache.meter.count(Count.STALE, "manifest")

    @deferred
    async def _confirm(self, digest: Digest) -> None:
        if not await self._remote.exists(digest=digest):
            raise ManifestUnknown(str(digest))

    @deferred
    async def _fetch(self, digest: Digest) -> Manifest:
        manifest = await self._link(digest)
        if manifest is None:
            manifest = await self._remote.get(digest=digest)
            if not await self.store(manifest):
                return manifest
        for tag in self._cache.pending.pop(self._name, digest):
            try:
                await self._local_tags.tag(tag=tag, descriptor=manifest.descriptor)
            except DriverError as error:
                self._cache.pass_over("tag", error)
                continue
            key = EntryKey(self._name, Kind.TAG, str(tag))
            self._cache.confirm_tag(key, digest)
        return manifest

    @deferred
    async def store(self, manifest: Manifest) -> bool:
        """Store a manifest from the upstream, and record a use.

        :return: fires with false if the disk does not take it, and it is passed on all
            the same.
        """
        self._cache.meter.count(Count.PULLED_BYTES, "manifest", len(manifest.content))
        try:
            await self.adopt(manifest)
        except DriverError as error:
            self._cache.pass_over("manifest", error)
            return False
        return True

    @deferred
    async def adopt(self, manifest: Manifest) -> None:
        """Store a manifest, and record a use; see :class:`IManifestAdopter`."""
        self._record(manifest)
        try:
            await self._local.put(manifest=manifest)
        except DriverError:
            self._cache.usage.forget(self._key(manifest.digest))
            raise

    @deferred
    async def _link(self, digest: Digest) -> Manifest | None:
        """Link a manifest that another repository fetched, if this one may have it."""
        try:
            await self._cache.content.stat(digest=digest)
        except BlobUnknown:
            return None
        if not await self._has_access(digest):
            raise ManifestUnknown(str(digest))
        try:
            manifest = await self._local.mount(digest=digest)
        except ManifestUnknown:
            return None  # the stored content is damaged
        except DriverError as error:
            self._cache.pass_over("manifest", error)
            return None
        self._record(manifest)
        return manifest

    @deferred
    async def _has_access(self, digest: Digest) -> bool:
        """Fire with whether this repository may have what another one fetched.

        While the upstream is down, the conditions are those for blobs.
        """
        try:
            return await self._remote.exists(digest=digest)
        except RegistryError as error:
            if not is_outage(error) or not await self._local.names(digest=digest):
                raise
            if not await self._cache.has_been_given(digest):
                raise
            return True

    def _record(self, manifest: Manifest) -> None:
        size, now = len(manifest.content), self._cache.clock.seconds()
        self._cache.usage.add(Entry(self._key(manifest.digest), size, now))
        self._cache.rights.record(self._key(manifest.digest))

    def _key(self, digest: Digest) -> EntryKey:
        return EntryKey(self._name, Kind.MANIFEST, str(digest))
