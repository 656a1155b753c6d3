"""Bytes on their way into the store: hashed while written, verified, then linked.

Note [Nobody else writes]. Where others share the storage, an open file keeps other
processes from writing to it (Note [One writer of an upload] in
:mod:`txregistry.storagedriver.filesystem.shared`). So it stays open until it is at its
place; and what was written by earlier requests is hashed, or its state read, only once
it is open. Content that is there already, and known to be sound, is not replaced:
another machine may be reading it.
"""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IProducer
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.sessions import Session
from txregistry.interfaces.blobs import IBlobWriter
from txregistry.interfaces.driver import (
    Change,
    IGrowingFiles,
    IStorageDriver,
    MoveFile,
    PutFile,
    RemoveTree,
)
from txregistry.interfaces.expiry import EntryKey, Kind
from txregistry.interfaces.files import IFileWriter
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import CANONICAL, Digest, IncrementalHash
from txregistry.spec.errors import DigestInvalid, SizeInvalid
from txregistry.storage.tree import layout
from txregistry.storage.tree.links import Links
from txregistry.storage.uploads.context import UploadContext
from txregistry.storage.uploads.hashing import Hashes, hash_file
from txregistry.storage.uploads.pending_uploads import UploadKey
from txregistry.storage.uploads.spooled import SpooledFile


def stays_open(driver: IStorageDriver) -> bool:
    """Tell whether a file is moved while it is open; see Note [Nobody else writes]."""
    return bool(driver.is_shared and IGrowingFiles.providedBy(driver))


@implementer(IConsumer)
@attrs.define(eq=False, kw_only=True)
class UploadWriter:
    """Bytes on their way into the store: a file, and a hash of it."""

    file: IFileWriter
    hasher: IncrementalHash

    @property
    def size(self) -> int:
        """Count the bytes written."""
        return self.file.size

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Take a producer, paused while the disk is behind."""
        self.file.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """Let the producer go."""
        self.file.unregisterProducer()

    def write(self, data: bytes) -> None:
        """Take in bytes."""
        self.file.write(data)

    def flush(self, durable: bool = False) -> Deferred[None]:
        """Wait until all bytes taken in are written."""
        return self.file.flush(durable=durable)


@implementer(IBlobWriter)
@attrs.define(eq=False, kw_only=True)
class Upload(UploadWriter):
    """The current writer of an upload to a repository."""

    file: SpooledFile
    hasher: Hashes
    upload_id: str
    started_at: float
    _context: UploadContext
    _session: Session
    _began_with: int
    _producer: IProducer | None = None
    _closing: Deferred[None] | None = None

    def __attrs_post_init__(self) -> None:
        self._session.on_takeover(self._give_way)

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Take a producer; it is stopped when another request takes over."""
        self._producer = producer
        super().registerProducer(producer, streaming)
        if self._session.takeover_requested:
            self._give_way()

    def unregisterProducer(self) -> None:
        """Let the producer go."""
        self._producer = None
        super().unregisterProducer()

    @deferred
    async def commit(self, provisional: Descriptor) -> Descriptor:
        """Verify, move into place, link; see :class:`IBlobWriter`."""
        # The move syncs it: one wait for the disk instead of two.
        is_open = stays_open(self._context.driver)
        await (self.file.flush() if is_open else self.file.close())
        content = self.file.content
        if content is not None:
            self.hasher.update(content)
        await self._verify(provisional, content)
        canonical = Descriptor(Digest(CANONICAL, self.hasher.hexdigest()), self.size)
        path = layout.blob_data(canonical.digest)
        place: Change = MoveFile(self._path, path, sync=True)
        if content is not None:
            place = PutFile(path, content)
        await self._context.content.locks.run_all(
            sorted({canonical.digest, provisional.digest}),
            lambda: self._store(canonical, provisional.digest, place),
        )
        if is_open:
            await self.file.close()
        self._session.release()
        self._context.reconciler.added(self._context.name)
        return canonical

    @deferred
    async def cancel(self) -> None:
        """Delete the upload."""
        try:
            await self.file.cancel()
            if not await self._context.pending.drop(self._key, self.started_at):
                await self._forget()
        finally:
            self._session.release()

    @deferred
    async def close(self) -> None:
        """Sync the bytes written and keep them, with the state of their digests."""
        try:
            await self._keep()
        finally:
            # Even if the caller has cancelled.
            try:
                await self.file.close()
            finally:
                self._session.release()

    @deferred
    async def _keep(self) -> None:
        if self.size != self._began_with:
            await self.file.flush(durable=True)
            await self._context.states.save(self._states_path, self.hasher)

    def _give_way(self) -> None:
        if self._producer is not None:
            self._producer.stopProducing()

    @deferred
    async def _verify(self, provisional: Descriptor, content: bytes | None) -> None:
        if provisional.size is not None and provisional.size != self.size:
            raise SizeInvalid({"expected": provisional.size, "received": self.size})
        wanted = provisional.digest
        hasher = self.hasher.by_algorithm.get(wanted.algorithm)
        if hasher is None:
            # This algorithm is requested only now.
            hasher = wanted.hasher()
            if content is not None:
                hasher.update(content)
            else:
                await hash_file(self._context.driver, self._path, self.size, hasher)
        if not wanted.matches(hasher):
            raise DigestInvalid(str(wanted))

    @property
    def _key(self) -> UploadKey:
        return self._context.name, self.upload_id

    @property
    def _path(self) -> str:
        return layout.upload_data(self._context.name, self.upload_id)

    @property
    def _states_path(self) -> str:
        return layout.upload_hash_states(self._context.name, self.upload_id)

    @deferred
    async def _store(self, canonical: Descriptor, alias: Digest, place: Change) -> None:
        self._context.content.pin(canonical.digest)
        links = Links(self._context.driver)
        # Overwriting existing content heals damage.
        changes = [place]
        if self._context.driver.is_shared:
            is_known = await self._context.content.is_known(canonical.digest)
            changes = [] if is_known else changes
        for digest in {canonical.digest, alias}:
            path = layout.layer_link(self._context.name, digest)
            changes += await links.change(path, canonical.digest)
        if not await self._context.pending.drop(self._key, self.started_at):
            changes.append(
                RemoveTree(layout.upload(self._context.name, self.upload_id))
            )
        await self._context.driver.apply(changes=changes)
        # At once: whatever fails next, the ledger has to know of the link.
        key = EntryKey(self._context.name, Kind.BLOB, str(canonical.digest))
        self._context.content.linked(key, canonical.digest)
        await self._context.content.integrity.record_what_is_there(canonical.digest)
        # A manifest that refers to it usually comes next.
        await self._context.descriptors.set_descriptor(
            digest=alias, descriptor=canonical
        )

    @deferred
    async def _forget(self) -> None:
        directory = layout.upload(self._context.name, self.upload_id)
        await Links(self._context.driver).remove(
            directory, layout.REPOSITORIES, durable=False
        )
        self._session.release()
