"""Taking blobs in: bytes are hashed as they are written, verified, then linked."""

from __future__ import annotations

import uuid
from calendar import timegm
from time import gmtime, strftime, strptime

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IProducer
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.interfaces.blobs import IBlobWriter
from txregistry.interfaces.driver import IStorageDriver, PathNotFound
from txregistry.interfaces.files import IFileWriter
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import CANONICAL, Digest, IncrementalHash
from txregistry.spec.errors import BlobUploadUnknown, DigestInvalid, SizeInvalid
from txregistry.spec.reference import RepositoryName
from txregistry.storage import layout
from txregistry.storage.content import Content
from txregistry.storage.hashing import hash_file
from txregistry.storage.links import Links

_RFC3339 = "%Y-%m-%dT%H:%M:%SZ"


@implementer(IConsumer)
@attrs.define(eq=False, kw_only=True)
class Ingest:
    """Bytes on their way to a place in the store: a file, and a hash of it."""

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
        """Wait until what was taken in is written."""
        return self.file.flush(durable=durable)

    def close(self) -> Deferred[None]:
        """Keep what is there for later."""
        return self.file.close()


@implementer(IBlobWriter)
@attrs.define(eq=False, kw_only=True)
class Upload(Ingest):
    """An upload to a repository."""

    upload_id: str
    started_at: float
    _name: RepositoryName
    _driver: IStorageDriver
    _content: Content

    @deferred
    async def commit(self, provisional: Descriptor) -> Descriptor:
        """Verify, move into place, link; see :class:`IBlobWriter`."""
        await self.file.commit()
        await self._verify(provisional)
        canonical = Descriptor(Digest(CANONICAL, self.hasher.hexdigest()), self.size)
        await self._content.locks.run(
            canonical.digest, lambda: self._store(canonical, provisional.digest)
        )
        await self._forget()
        return canonical

    @deferred
    async def cancel(self) -> None:
        """Delete the upload."""
        await self.file.cancel()
        await self._forget()

    @deferred
    async def _verify(self, provisional: Descriptor) -> None:
        if provisional.size is not None and provisional.size != self.size:
            raise SizeInvalid({"expected": provisional.size, "received": self.size})
        hasher = self.hasher
        if provisional.digest.algorithm != CANONICAL:
            # Only now is it known that this algorithm is wanted.
            hasher = provisional.digest.hasher()
            await hash_file(self._driver, self._path, self.size, hasher)
        if not provisional.digest.matches(hasher):
            raise DigestInvalid(str(provisional.digest))

    @property
    def _path(self) -> str:
        return layout.upload_data(self._name, self.upload_id)

    @deferred
    async def _store(self, canonical: Descriptor, alias: Digest) -> None:
        # Moving over what is there heals content that was damaged.
        await self._driver.move(self._path, layout.blob_data(canonical.digest))
        links = Links(self._driver)
        for digest in {canonical.digest, alias}:
            await links.write(layout.layer_link(self._name, digest), canonical.digest)

    @deferred
    async def _forget(self) -> None:
        directory = layout.upload(self._name, self.upload_id)
        await Links(self._driver).remove(directory, layout.REPOSITORIES)


@attrs.define(eq=False)
class Uploads:
    """The uploads of one repository."""

    _name: RepositoryName
    _driver: IStorageDriver
    _content: Content

    @deferred
    async def create(self, now: float) -> Upload:
        """Begin an upload under a new id."""
        upload_id = str(uuid.uuid4())
        started = strftime(_RFC3339, gmtime(now)).encode("ascii")
        await self._driver.put(layout.upload_started_at(self._name, upload_id), started)
        return await self._open(upload_id, now, 0)

    @deferred
    async def resume(self, upload_id: str) -> Upload:
        """Go on with an upload; what is there is hashed again."""
        started_at = await self._started_at(upload_id)
        size = await self._size(upload_id)
        upload = await self._open(upload_id, started_at, size)
        path = layout.upload_data(self._name, upload_id)
        await hash_file(self._driver, path, size, upload.hasher)
        return upload

    @deferred
    async def _open(self, upload_id: str, started_at: float, size: int) -> Upload:
        path = layout.upload_data(self._name, upload_id)
        hasher = Digest(CANONICAL, "").hasher()
        file = await self._driver.writer(path, keep_bytes=size, hasher=hasher)
        return Upload(
            file=file,
            hasher=hasher,
            upload_id=upload_id,
            started_at=started_at,
            name=self._name,
            driver=self._driver,
            content=self._content,
        )

    @deferred
    async def _started_at(self, upload_id: str) -> float:
        try:
            text = await self._driver.get(
                layout.upload_started_at(self._name, upload_id)
            )
            return timegm(strptime(text.decode("ascii"), _RFC3339))
        except (PathNotFound, ValueError) as error:
            raise BlobUploadUnknown(upload_id) from error

    @deferred
    async def _size(self, upload_id: str) -> int:
        try:
            found = await self._driver.stat(layout.upload_data(self._name, upload_id))
        except PathNotFound:
            return 0
        return found.size
