"""Partial blobs: growing files by digest, and their checkpoints.

The state is JSON beside the data: ``offset`` (bytes that are synced), ``size`` and
``validator``. The next process trusts only synced bytes, and hashes them again before
it adds more.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.streams import ShortRead
from txregistry.flow.wrapper import Wrapper
from txregistry.interfaces.driver import (
    DriverError,
    InvalidOffset,
    PathNotFound,
)
from txregistry.interfaces.files import IStoredFile
from txregistry.interfaces.fills import (
    FillCheckpoint,
    IPartialBlob,
    IPartialBlobs,
    PartialSize,
)
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import HEX_LENGTHS, Digest, is_digest
from txregistry.spec.errors import DigestInvalid, SizeInvalid
from txregistry.spec.nesting import read_json
from txregistry.storage.content.store import Content
from txregistry.storage.tree import layout
from txregistry.storage.tree.links import Links
from txregistry.storage.uploads.arrivals import Arrivals
from txregistry.storage.uploads.hashing import hash_file
from txregistry.storage.uploads.upload_writer import UploadWriter


class LeasedFile(Wrapper):
    """An open file; closing it ends a lease."""

    def __init__(self, file: IStoredFile, release: Callable[[], None]) -> None:
        super().__init__(file)
        self._release = release

    def close(self) -> None:
        """Close the file and give up the lease."""
        self.wrapped.close()
        self._release()


@implementer(IPartialBlob)
@attrs.define(eq=False, kw_only=True)
class PartialBlob(UploadWriter):
    """The growing file of one digest."""

    upload_id: str
    started_at: float
    resumed: FillCheckpoint | None
    _digest: Digest
    _arrivals: Arrivals
    _content: Content
    _closed: Callable[[], None]
    _is_whole: bool = False
    _log = Logger()

    @deferred
    async def checkpoint(self, state: FillCheckpoint) -> None:
        """Sync, then record the offset."""
        await self.file.flush(durable=True)
        await self._record(state)

    @deferred
    async def reader(self) -> IStoredFile:
        """Open the growing file, under a lease of what will be stored of it.

        Whoever reads it goes on when it is at its place: it takes room until then.
        """
        release = self._content.leases.take(self._digest)
        try:
            file = await self._arrivals.files.reader(layout.fill_data(self._digest))
        except BaseException:
            release()
            raise
        return LeasedFile(file, release)  # type: ignore[return-value]

    def _record(self, state: FillCheckpoint) -> Deferred[None]:
        path = layout.fill_state(self._digest)
        return self._arrivals.files.put(path, _encode(state))

    @deferred
    async def close(self) -> None:
        """Keep the bytes for a later fill."""
        self._closed()
        await self.file.close()

    @deferred
    async def verify(self, provisional: Descriptor) -> None:
        """Compare the digest of the bytes written, which may not be durable."""
        await self.file.flush()
        if provisional.size is not None and provisional.size != self.size:
            raise SizeInvalid({"expected": provisional.size, "received": self.size})
        if not self._digest.matches(self.hasher):
            raise DigestInvalid(str(self._digest))

    @deferred
    async def commit(self, provisional: Descriptor) -> Descriptor:
        """Verify and bring into the store, without a link yet.

        If it cannot be stored now, a whole blob in a local directory stays there; see
        Note [Local spool] in :mod:`txregistry.storage.uploads.arrivals`.
        """
        await self.verify(provisional)
        await self.file.commit()
        if self._arrivals.is_apart:
            await self._record(FillCheckpoint(self.size, self.size, None))
            self._is_whole = True
        await self._content.locks.run(self._digest, self._store)
        try:
            await self._forget()
        except DriverError as error:
            # It is stored, and has to be linked: nobody else would know of it.
            self._log.warn(
                "what is left of a download stays: {error}", error=str(error)
            )
        return Descriptor(self._digest, self.size)

    @deferred
    async def cancel(self) -> None:
        """Delete the file and the state, unless only storing it has failed."""
        if self._is_whole:
            self._closed()
            return
        await self.file.cancel()
        await self._forget()

    @deferred
    async def _store(self) -> None:
        await self._arrivals.store(self._digest)
        await self._content.integrity.record_what_is_there(self._digest)

    @deferred
    async def _forget(self) -> None:
        self._closed()
        links = Links(self._arrivals.files)
        await links.remove(layout.fill(self._digest), layout.OWN)


@implementer(IPartialBlobs)
@attrs.define(eq=False)
class PartialBlobs:
    """All partial blobs of a store."""

    _arrivals: Arrivals
    _content: Content
    _clock: IReactorTime
    _open_paths: set[str] = attrs.field(factory=set)

    @deferred
    async def has(self, digest: Digest) -> bool:
        """Fire with whether there is a state to resume from."""
        return await self._resumed(digest) is not None

    @deferred
    async def open(self, digest: Digest) -> IPartialBlob:
        """Open a partial blob, resumed from its last checkpoint or new."""
        resumed = await self._resumed(digest)
        try:
            return await self._open(digest, resumed)
        except (InvalidOffset, PathNotFound, ShortRead):
            # The data does not match the state: nothing can be kept.
            return await self._open(digest, None)

    @deferred
    async def purge(self, before: float) -> None:
        """Delete partial blobs that no fill has resumed."""
        for digest in await self._closed():
            if await self._is_old(layout.fill(digest), before):
                await self.discard(digest)

    @deferred
    async def found(self) -> list[PartialSize]:
        """Measure those that nobody has open."""
        found = [await self._measure(digest) for digest in await self._closed()]
        known = [partial for partial in found if partial is not None]
        return sorted(known, key=lambda partial: partial.modified_at)

    @deferred
    async def discard(self, digest: Digest) -> bool:
        """Delete one, unless somebody has it open."""
        path = layout.fill(digest)
        if path in self._open_paths:
            return False
        return await Links(self._arrivals.files).remove(path, layout.OWN)

    @deferred
    async def _closed(self) -> list[Digest]:
        """Give those that are there and that nobody has open."""
        found = []
        for algorithm in HEX_LENGTHS:
            try:
                paths = await self._arrivals.files.list(f"{layout.FILLS}/{algorithm}")
            except PathNotFound:
                continue
            for path in paths:
                digits = posixpath.basename(path)
                if not is_digest(f"{algorithm}:{digits}"):
                    continue  # a foreign file
                if path not in self._open_paths:
                    found.append(Digest(algorithm, digits))
        return found

    @deferred
    async def _measure(self, digest: Digest) -> PartialSize | None:
        state = await self._resumed(digest)
        try:
            data = await self._arrivals.files.stat(layout.fill_data(digest))
        except PathNotFound:
            return None
        known = 0 if state is None else state.size or 0
        return PartialSize(digest, max(known, data.size), data.modified_at)

    @deferred
    async def _is_old(self, path: str, before: float) -> bool:
        try:
            found = await self._arrivals.files.stat(f"{path}/data")
        except PathNotFound:
            return True
        return found.modified_at < before

    @deferred
    async def _open(
        self, digest: Digest, resumed: FillCheckpoint | None
    ) -> IPartialBlob:
        hasher = digest.hasher()
        path = layout.fill_data(digest)
        offset = 0 if resumed is None else resumed.offset
        files = self._arrivals.files
        if offset:
            await hash_file(files, path, offset, hasher)
        file = await files.writer(path, keep_bytes=offset, hasher=hasher)
        directory = layout.fill(digest)
        self._open_paths.add(directory)
        return PartialBlob(
            closed=lambda: self._open_paths.discard(directory),
            file=file,
            hasher=hasher,
            upload_id=str(digest),
            started_at=self._clock.seconds(),
            resumed=resumed,
            digest=digest,
            arrivals=self._arrivals,
            content=self._content,
        )

    @deferred
    async def _resumed(self, digest: Digest) -> FillCheckpoint | None:
        try:
            files = self._arrivals.files
            return _decode(await files.get(layout.fill_state(digest)))
        except DriverError:
            return None


def _encode(state: FillCheckpoint) -> bytes:
    return json.dumps(attrs.asdict(state)).encode("utf-8")


def _decode(content: bytes) -> FillCheckpoint | None:
    try:
        fields = read_json(content)
        offset, size = fields["offset"], fields["size"]
        validator = fields["validator"]
    except (ValueError, KeyError, TypeError):
        return None
    if not isinstance(offset, int) or not isinstance(size, int | None):
        return None
    if not isinstance(validator, str | None):
        return None
    return FillCheckpoint(offset, size, validator)
