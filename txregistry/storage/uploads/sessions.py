"""The uploads of one repository: how they begin, and resume."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import attrs

from txregistry.flow.context import in_context
from txregistry.flow.deferred import deferred
from txregistry.flow.rfc3339 import read_time
from txregistry.flow.sessions import Session, Sessions
from txregistry.interfaces.blobs import UploadStatus
from txregistry.interfaces.driver import PathNotFound
from txregistry.interfaces.files import IFileWriter
from txregistry.spec.digest import CANONICAL
from txregistry.spec.errors import BlobUploadUnknown
from txregistry.storage.tree import layout
from txregistry.storage.uploads.context import UploadContext
from txregistry.storage.uploads.hashing import Hashes
from txregistry.storage.uploads.pending_uploads import UploadKey
from txregistry.storage.uploads.spooled import SpooledFile
from txregistry.storage.uploads.upload_writer import Upload, stays_open


@attrs.define(eq=False)
class UploadSessions:
    """The uploads of one repository.

    :param sessions: of all repositories: one writer per upload.
    """

    _context: UploadContext
    _sessions: Sessions[UploadKey]
    _new_id: Callable[[], str] = attrs.field(default=lambda: str(uuid.uuid4()))

    @deferred
    async def begin(self, now: float, algorithm: str | None = None) -> UploadStatus:
        """Begin an upload under a new id.

        It is not durable: after a power failure the client begins again.

        :param algorithm: of the digest it will be committed under, if known.
        """
        upload_id = self._new_id()
        key, started_at = (self._context.name, upload_id), float(int(now))
        await self._context.pending.begin(key, started_at)
        if algorithm not in (None, CANONICAL):
            # A saved state means that the algorithm is wanted.
            try:
                await self._save_wish(key, algorithm)
            except BaseException:
                await self._context.pending.drop(key, started_at)
                raise
        return UploadStatus(upload_id, 0, started_at)

    @deferred
    async def _save_wish(self, key: UploadKey, algorithm: str) -> None:
        await self._context.pending.write(key)
        states = layout.upload_hash_states(*key)
        await self._context.states.save(
            states, self._context.states.begin((algorithm,))
        )

    @deferred
    async def status(
        self, upload_id: str, begun_at: float | None = None
    ) -> UploadStatus:
        """Fire with where an upload stands; see :meth:`IBlobIngester.status`."""
        key = (self._context.name, upload_id)
        held = self._context.pending.started_at(key)
        if held is not None:
            return UploadStatus(upload_id, 0, held)
        try:
            started_at = await self._started_at(upload_id)
        except BlobUploadUnknown:
            if begun_at is None or not await self._context.pending.revive(
                key, begun_at
            ):
                raise
            return UploadStatus(upload_id, 0, begun_at)
        return UploadStatus(upload_id, await self._size(upload_id), started_at)

    @deferred
    async def resume(
        self,
        upload_id: str,
        check: Callable[[UploadStatus], None],
        begun_at: float | None = None,
    ) -> Upload:
        """Resume an upload, once its current writer has left."""
        key = (self._context.name, upload_id)
        if self._sessions.is_held(key):
            # A request that is refused anyway must not evict the current writer.
            check(await self.status(upload_id, begun_at))
        session = await self._sessions.acquire(key)
        try:
            status = await self.status(upload_id, begun_at)
            check(status)
            is_late = status.size and stays_open(self._context.driver)
            hashes = Hashes({}) if is_late else await self._hashes(status)
            upload = await self._open(status, hashes, session)
        except BaseException:
            session.release()
            raise
        if is_late:
            await self._hash_opened(upload, status)
        return upload

    @deferred
    async def _hash_opened(self, upload: Upload, status: UploadStatus) -> None:
        """Hash what is there now; see Note [Nobody else writes]."""
        try:
            hashes = await self._hashes(status)
        except BaseException:
            await upload.close()
            raise
        upload.hasher.by_algorithm = hashes.by_algorithm

    @deferred
    async def _hashes(self, status: UploadStatus) -> Hashes:
        key = (self._context.name, status.upload_id)
        if self._context.pending.started_at(key) is not None:
            return self._context.states.begin()  # nothing to hash yet
        states, data = layout.upload_hash_states(*key), layout.upload_data(*key)
        return await self._context.states.load(states, data, status.size)

    @deferred
    async def _make_file(self, status: UploadStatus, hashes: Hashes) -> IFileWriter:
        key = (self._context.name, status.upload_id)
        if not status.size:
            await self._context.pending.keep(key, status.started_at)
        return await self._context.driver.writer(
            layout.upload_data(*key),
            keep_bytes=status.size,
            hasher=hashes,
            read_while_written=False,
        )

    @deferred
    async def _open(
        self, status: UploadStatus, hashes: Hashes, session: Session
    ) -> Upload:
        # Its bytes come in the context of the connection, or of whoever made room.
        file = SpooledFile(in_context(lambda: self._make_file(status, hashes)))
        if status.size:
            await file.make()
        return Upload(
            file=file,
            hasher=hashes,
            upload_id=status.upload_id,
            started_at=status.started_at,
            context=self._context,
            session=session,
            began_with=status.size,
        )

    @deferred
    async def _started_at(self, upload_id: str) -> float:
        try:
            path = layout.upload_started_at(self._context.name, upload_id)
            content = await self._context.driver.get(path=path)
            return read_time(content.decode("ascii"))
        except (PathNotFound, ValueError) as error:
            raise BlobUploadUnknown({"upload": upload_id}) from error

    @deferred
    async def _size(self, upload_id: str) -> int:
        try:
            found = await self._context.driver.stat(
                layout.upload_data(self._context.name, upload_id)
            )
        except PathNotFound:
            return 0
        return found.size
