"""The blobs of one repository of a cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import attrs
from twisted.internet.interfaces import IConsumer
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.demand import unawaited
from txregistry.interfaces.blobs import (
    BlobLocation,
    BlobMount,
    IBlobFetcher,
    IBlobIngester,
    IBlobLocator,
    IBlobReader,
    IBlobService,
    IBlobWriter,
)
from txregistry.interfaces.driver import DriverError, FileRequest
from txregistry.interfaces.expiry import Entry, EntryKey, Kind
from txregistry.interfaces.manifests import IManifestStore
from txregistry.interfaces.observe import Count, IMeter
from txregistry.interfaces.provenance import current_status
from txregistry.interfaces.transfers import IBlobAdopter
from txregistry.proxy.context import CacheContext
from txregistry.proxy.fills import Adopt
from txregistry.proxy.outage import is_outage
from txregistry.proxy.passing import explained
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import (
    BlobUnknown,
    CacheFull,
    RegistryError,
    UpstreamUnavailable,
)
from txregistry.spec.reference import RepositoryName

#: Attempts to open a blob that is stored or deleted meanwhile.
_MAX_ATTEMPTS = 4


@implementer(IBlobReader)
@attrs.define(eq=False)
class MeteredBlob:
    """An open blob that counts what is read from it.

    :param kinds: beside those that clients got, what its bytes are counted as.
    """

    _reader: IBlobReader
    _meter: IMeter
    _kinds: Sequence[Count] = ()

    @property
    def descriptor(self) -> Descriptor:
        """Return the descriptor of the blob."""
        return self._reader.descriptor

    @property
    def size(self) -> int:
        """Return the size of the blob in bytes; 0 while unknown."""
        return self._reader.size

    @deferred
    async def read(
        self, consumer: IConsumer, offset: int = 0, size: int | None = None
    ) -> None:
        """Push bytes into a consumer; count them when all are sent."""
        count = max(0, self.size - offset) if size is None else size
        await self._reader.read(consumer=consumer, offset=offset, size=size)
        for what in (Count.SERVED_BYTES, *self._kinds):
            self._meter.count(what, "blob", count)

    def close(self) -> None:
        """Close the reader."""
        self._reader.close()


@implementer(IBlobService, IBlobFetcher, IBlobAdopter)
@attrs.define(eq=False)
class ProxyBlobs:
    """Blobs that are stored, being filled, or at the upstream."""

    _name: RepositoryName
    _local: IBlobService
    _manifests: IManifestStore
    _remote: IBlobService
    _adopt_for: Adopt
    _cache: CacheContext

    @deferred
    async def stat(self, digest: Digest) -> Descriptor:
        """Fire with a blob's descriptor, by HEAD if the blob is not stored.

        :return: fails with ``BlobUnknown``, or as the upstream does.
        """
        self._cache.meter.count(Count.REQUESTS, "blob")
        status = current_status()
        try:
            descriptor = await self._local.stat(digest=digest)
        except BlobUnknown:
            status.forward = "miss"
            self._cache.meter.count(Count.MISSES, "blob")
            return await self._stat_elsewhere(digest)
        await self._check_access(digest)
        self._hit(digest)
        return descriptor

    @deferred
    async def open(self, digest: Digest) -> IBlobReader:
        """Fire with an open blob: stored, linked, or being filled.

        :return: fails with ``BlobUnknown``, with ``UpstreamUnavailable`` if the blob
            was removed meanwhile several times, or as the upstream does.
        """
        self._cache.meter.count(Count.REQUESTS, "blob")
        for attempt in range(_MAX_ATTEMPTS):
            try:
                reader = await self._open_stored(digest, attempt)
            except BlobUnknown:
                found = await self._open_or_pass(digest, attempt)
                if found is None:
                    continue
                return MeteredBlob(found, self._cache.meter)
            if not attempt:
                self._hit(digest)
            is_stale = current_status().is_unconfirmed
            kinds = (Count.HIT_BYTES, *((Count.STALE_BYTES,) if is_stale else ()))
            return MeteredBlob(reader, self._cache.meter, kinds)
        reason = "the blob was removed while it was opened"
        raise UpstreamUnavailable({"reason": reason}, 1.0)

    @unawaited
    @deferred
    async def fetch(self, digest: Digest) -> Descriptor:
        """Have a blob stored here; see :class:`IBlobFetcher`."""
        for _ in range(_MAX_ATTEMPTS):
            try:
                found = await self._local.stat(digest=digest)
                self._cache.usage.touch(self._key(digest), self._cache.clock.seconds())
                return found
            except BlobUnknown:
                if self._cache.fills.find(digest) is None and await self._link(digest):
                    continue
            await self._cache.fills.fetch(
                self._name, digest, self._remote, self._adopt_for
            )
        reason = "the blob was removed while it was fetched"
        raise UpstreamUnavailable({"reason": reason}, 1.0)

    @deferred
    async def _open_stored(self, digest: Digest, attempt: int) -> IBlobReader:
        reader = await self._local.open(digest=digest)
        try:
            if not attempt:
                await self._check_access(digest)
        except BaseException:
            reader.close()
            raise
        return reader

    @deferred
    async def _check_access(self, digest: Digest) -> None:
        key = self._key(digest)
        if self._cache.rights.is_recent(key):
            return
        was_counted = current_status().is_unconfirmed
        is_answered = await self._cache.rights.check(
            key, lambda: self._cache.fills.confirm(self._name, digest, self._remote)
        )
        if not is_answered and not was_counted:
            self._cache.meter.count(Count.STALE, "blob")

    @deferred
    async def adopt(self, descriptor: Descriptor) -> None:
        """Link stored content, and record a use; see :class:`IBlobAdopter`."""
        key = self._record(descriptor)
        local = cast(IBlobIngester, self._local)
        # If the disk refuses the link, the entry stays: content that nobody links has
        # to be counted, and goes by it.
        linked = await local.create(mount=BlobMount(descriptor.digest))
        if not isinstance(linked, Descriptor):
            self._cache.usage.forget(key)
            await linked.cancel()

    @deferred
    async def commit(self, writer: IBlobWriter, descriptor: Descriptor) -> None:
        """Make what was written a blob; see :class:`IBlobAdopter`."""
        key = self._record(descriptor)
        try:
            await writer.commit(provisional=descriptor)
        except RegistryError:
            # It may be here by another way.
            if not await self._is_stored(descriptor.digest):
                self._cache.usage.forget(key)
            raise

    def _record(self, descriptor: Descriptor) -> EntryKey:
        """Record a use, before the link: expiry could delete what it knows not."""
        key, now = self._key(descriptor.digest), self._cache.clock.seconds()
        self._cache.usage.add(Entry(key, descriptor.size or 0, now))
        self._cache.rights.record(key)
        return key

    @deferred
    async def _is_stored(self, digest: Digest) -> bool:
        try:
            await self._local.stat(digest=digest)
        except BlobUnknown:
            return False
        return True

    @deferred
    async def _stat_elsewhere(self, digest: Digest) -> Descriptor:
        fill = self._cache.fills.find(digest)
        if fill is not None and self._name in fill.confirmed:
            await fill.head()
            return Descriptor(digest, fill.state.size)
        try:
            known = await self._cache.content.stat(digest=digest)
        except BlobUnknown:
            return await self._cache.fills.confirm(self._name, digest, self._remote)
        await self._confirm(digest)
        return known

    @deferred
    async def _confirm(self, digest: Digest) -> int | None:
        """Check that the upstream lets this repository have stored content.

        While the upstream is down, it is enough that a manifest of this repository
        names the content, and that this upstream has given it to some repository.
        Manifests alone prove nothing: whoever pushes one to the upstream may name any
        digest in it, also of content that only others may have.

        :return: fires with the size that the upstream claims, unverified.
        """
        try:
            seen = await self._cache.fills.confirm(self._name, digest, self._remote)
            return seen.size
        except RegistryError as error:
            if not is_outage(error) or not await self._was_given(digest):
                raise
        return None

    @deferred
    async def _was_given(self, digest: Digest) -> bool:
        if not await self._manifests.names(digest=digest):
            return False
        return await self._cache.has_been_given(digest)

    @deferred
    async def _open_or_pass(self, digest: Digest, attempt: int) -> IBlobReader | None:
        """Open a blob that is not stored, and perhaps cannot be."""
        try:
            return await self._open_elsewhere(digest, attempt)
        except CacheFull:
            if not self._cache.fills.passing.is_allowed:
                raise
        current_status().stored = False
        return await self._cache.fills.pass_through(digest, self._remote)

    @deferred
    async def _open_elsewhere(self, digest: Digest, attempt: int) -> IBlobReader | None:
        status = current_status()
        if not attempt:
            self._cache.meter.count(Count.MISSES, "blob")
        status.forward = "miss"
        if self._cache.fills.find(digest) is None and await self._link(digest):
            return None
        status.collapsed = self._cache.fills.find(digest) is not None
        reader = await self._cache.fills.join(
            self._name, digest, self._remote, self._adopt_for
        )
        status.stored = True
        return reader

    @deferred
    async def _link(self, digest: Digest) -> bool:
        """Link content that another repository fetched, if this one may have it."""
        try:
            descriptor = await self._cache.content.stat(digest=digest)
        except BlobUnknown:
            return False
        claimed = await self._confirm(digest)
        agrees = claimed in (None, descriptor.size)
        # If they differ, one of the two is wrong, and the digest shows which.
        if not agrees and not await self._cache.content.verify(digest=digest):
            return False
        try:
            await self.adopt(descriptor)
        except DriverError as error:
            found = explained(error)
            if found is error:
                raise
            self._tell_unstored(error)
            raise found from error
        return True

    def _tell_unstored(self, error: Exception) -> None:
        now = self._cache.clock.seconds()
        self._cache.fills.passing.tell(self._cache.meter, "blob", error, now)

    def _hit(self, digest: Digest) -> None:
        current_status().hit = True
        self._cache.meter.count(Count.HITS, "blob")
        self._cache.usage.touch(self._key(digest), self._cache.clock.seconds())

    def _key(self, digest: Digest) -> EntryKey:
        return EntryKey(self._name, Kind.BLOB, str(digest))


@implementer(IBlobLocator)
@attrs.define(eq=False)
class LocatedProxyBlobs(ProxyBlobs):
    """Blobs of a cache whose storage has URLs: what is stored is read by them."""

    @deferred
    async def locate(self, digest: Digest, request: FileRequest) -> BlobLocation | None:
        """Fire with where a client reads a blob that this repository has.

        What is being filled, at the upstream, or another repository's has to be opened,
        which links what the upstream lets this one have.
        """
        stored = cast(IBlobLocator, self._local)
        try:
            location = await stored.locate(digest=digest, request=request)
        except BlobUnknown:
            return None
        if location is None:
            return None
        self._cache.meter.count(Count.REQUESTS, "blob")
        await self._check_access(digest)
        self._hit(digest)
        return location
