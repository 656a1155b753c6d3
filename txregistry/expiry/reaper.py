"""Remove what is due: one function per kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from txregistry.flow.deferred import deferred
from txregistry.interfaces.blobs import IBlobDeleter, IContent, ILeases
from txregistry.interfaces.expiry import Entry, EntryKey, IUsage, Kind
from txregistry.interfaces.manifests import IManifestStore
from txregistry.interfaces.namespace import INamespace
from txregistry.interfaces.observe import Count, IUpstreamMeters
from txregistry.interfaces.tags import ITagStore
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobUnknown, ManifestUnknown
from txregistry.spec.reference import Tag

_log = Logger(namespace="txregistry.expiry")

Expire = Callable[[Entry], Deferred[None]]


@attrs.define(eq=False)
class Reaper:
    """Unlinks entries from their repository, and deletes content without a link.

    Works on the storage itself, so ``storage.delete.enabled``, which is about what
    clients may do, does not matter here.
    """

    _namespace: INamespace
    _content: IContent
    _leases: ILeases
    _usage: IUsage
    _meters: IUpstreamMeters

    def functions(self) -> Mapping[Kind, Expire]:
        """Give the function to run for each kind of entry."""
        return {
            Kind.BLOB: self.expire_blob,
            Kind.MANIFEST: self.expire_manifest,
            Kind.TAG: self.expire_tag,
        }

    def is_in_use(self, entry: Entry) -> bool:
        """Tell whether the content of an entry is being read."""
        if entry.key.kind is Kind.TAG:
            return False
        return self._leases.held(Digest.parse(entry.key.reference))

    @deferred
    async def expire_blob(self, entry: Entry) -> None:
        """Unlink a blob; delete its content if no other repository has it."""
        digest = Digest.parse(entry.key.reference)
        repository = await self._namespace.repository(entry.key.repository)
        try:
            await cast(IBlobDeleter, repository.blobs).delete(digest=digest)
        except BlobUnknown:
            pass  # already unlinked; its content may be left
        await self._collect(entry, digest)

    @deferred
    async def expire_manifest(self, entry: Entry) -> None:
        """Untag and unlink a manifest; delete its content if no repository has it."""
        digest = Digest.parse(entry.key.reference)
        repository = await self._namespace.repository(entry.key.repository)
        tags = cast(ITagStore, repository.tags)
        for tag in await tags.lookup(digest=digest):
            try:
                await tags.untag(tag=tag, digest=digest)
            except ManifestUnknown:
                continue  # the tag was moved or deleted since
            self._usage.forget(EntryKey(entry.key.repository, Kind.TAG, str(tag)))
        try:
            await cast(IManifestStore, repository.manifests).delete(digest=digest)
        except ManifestUnknown:
            pass  # already unlinked; its content may be left
        await self._collect(entry, digest)

    @deferred
    async def expire_tag(self, entry: Entry) -> None:
        """Remove a tag; its manifest expires separately."""
        repository = await self._namespace.repository(entry.key.repository)
        try:
            await cast(ITagStore, repository.tags).untag(
                tag=Tag.parse(entry.key.reference)
            )
        except ManifestUnknown:
            return
        meter = self._meters.meter_of(name=entry.key.repository)
        meter.count(Count.EVICTED, entry.key.kind.value)

    @deferred
    async def _collect(self, entry: Entry, digest: Digest) -> None:
        kind = entry.key.kind.value
        meter = self._meters.meter_of(name=entry.key.repository)
        meter.count(Count.EVICTED, kind)
        if await self._content.collect(digest=digest):
            meter.count(Count.EVICTED_BYTES, kind, entry.size)
            _log.debug(
                "{kind} {digest} of {repository} has gone: {size} bytes",
                kind=kind,
                digest=str(digest),
                repository=str(entry.key.repository),
                size=entry.size,
                activity=True,
            )
        elif self._leases.held(digest):
            # A read has begun since: the data is deleted later.
            self._usage.add(entry)
