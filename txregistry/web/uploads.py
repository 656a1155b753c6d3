"""``/v2/<name>/blobs/uploads/``: uploads (OCI distribution-spec, "Pushing Blobs")."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import cast

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from txregistry.flow.rfc3339 import read_time, write_time
from txregistry.flow.streams import ConsumerStopped
from txregistry.interfaces.access import Grant
from txregistry.interfaces.blobs import (
    BlobMount,
    IBlobIngester,
    IBlobWriter,
    UploadStatus,
)
from txregistry.interfaces.events import Action
from txregistry.interfaces.namespace import INamespace
from txregistry.spec.chunks import check_chunk, parse_chunk
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import HEX_LENGTHS, Digest
from txregistry.spec.errors import (
    BlobTooLarge,
    BlobUploadInvalid,
    BlobUploadUnknown,
    DigestInvalid,
    RegistryError,
    SizeInvalid,
    Unsupported,
    UploadRangeInvalid,
)
from txregistry.spec.peers import client_key
from txregistry.spec.reference import RepositoryName
from txregistry.spec.uploadtoken import UPLOAD_ID, UploadState, seal, unseal
from txregistry.spec.upstreams import UpstreamTable
from txregistry.web.events import EventEmitter
from txregistry.web.http.connections import SiteContext
from txregistry.web.http.request import RegistryRequest
from txregistry.web.mounts import requested_mount
from txregistry.web.unfinished_uploads import UnfinishedUploads
from txregistry.web.urls import Urls

_log = Logger(namespace="txregistry.web")


@attrs.frozen
class Uploads:
    """The upload resources.

    :param secret: returns the key that seals the state in URLs (``http.secret``).
    :param max_bytes: of one blob; 0 for no limit.
    :param unfinished: limits the number of unfinished uploads.
    """

    _namespace: INamespace
    _upstreams: UpstreamTable
    _urls: Urls
    _events: EventEmitter
    _secret: Callable[[], bytes]
    _max_bytes: int
    _unfinished: UnfinishedUploads

    async def start(
        self, request: RegistryRequest, grant: Grant, name: RepositoryName
    ) -> bytes:
        """Answer POST: start an upload, mount a blob, or upload it in one request."""
        request.handler = "blob_upload"
        self._check_length(request, 0)
        text = request.query("digest")
        digest = None if text is None else Digest.parse(text)
        algorithm = _algorithm(request, digest)
        blobs = await self._ingester(name)
        mount = await requested_mount(request, grant, self._namespace, self._upstreams)
        owner = grant.user or client_key(request.peer)
        with self._unfinished.count_new(owner, _now(request)) as new:
            if mount is None and digest is None:
                status = await blobs.begin(algorithm=algorithm)
                new.upload_id = status.upload_id
                return self._accepted(request, name, status, 202)
            begun = await blobs.create(mount=mount, algorithm=algorithm)
            if not isinstance(begun, Descriptor):
                new.upload_id = begun.upload_id
        if isinstance(begun, Descriptor):
            assert mount is not None
            return await self._mounted(request, name, mount)
        if digest is not None:
            return await self._complete(request, name, begun, digest)
        await begun.close()
        return self._accepted(request, name, _status(begun), 202)

    async def status(
        self, request: RegistryRequest, grant: Grant, name: RepositoryName, upload: str
    ) -> bytes:
        """Answer GET and HEAD: how many bytes the upload has."""
        request.handler = "blob_upload_chunk"
        upload_id = _upload_id(upload)
        state = self._state(request, name, upload_id)
        blobs = await self._ingester(name)
        with self._forget_if_unknown(upload_id):
            status = await blobs.status(upload_id=upload_id, begun_at=_begun_at(state))
        _require_state(state)
        return self._accepted(request, name, status, 204)

    async def append(
        self, request: RegistryRequest, grant: Grant, name: RepositoryName, upload: str
    ) -> bytes:
        """Answer PATCH: append a chunk of any length."""
        request.handler = "blob_upload_chunk"
        writer = await self._resume(request, name, upload)
        await self._receive(request, writer)
        await writer.close()
        return self._accepted(request, name, _status(writer), 202)

    async def complete(
        self, request: RegistryRequest, grant: Grant, name: RepositoryName, upload: str
    ) -> bytes:
        """Answer PUT: append the last chunk, if any, and commit the blob."""
        request.handler = "blob_upload_chunk"
        digest = Digest.parse(request.query("digest") or "")
        writer = await self._resume(request, name, upload)
        return await self._complete(request, name, writer, digest)

    async def cancel(
        self, request: RegistryRequest, grant: Grant, name: RepositoryName, upload: str
    ) -> bytes:
        """Answer DELETE: cancel an upload and delete its data."""
        request.handler = "blob_upload_chunk"
        writer = await self._resume(request, name, upload)
        await writer.cancel()
        self._unfinished.forget(writer.upload_id)
        request.setResponseCode(204)
        request.setHeader(b"Docker-Upload-UUID", writer.upload_id)
        return b""

    async def _ingester(self, name: RepositoryName) -> IBlobIngester:
        repository = await self._namespace.repository(name=name)
        if not IBlobIngester.providedBy(repository.blobs):
            raise Unsupported()
        return cast(IBlobIngester, repository.blobs)

    async def _resume(
        self, request: RegistryRequest, name: RepositoryName, upload: str
    ) -> IBlobWriter:
        upload_id = _upload_id(upload)
        state = self._state(request, name, upload_id)
        blobs = await self._ingester(name)

        def check(status: UploadStatus) -> None:
            _require_state(state)
            if request.method != b"DELETE":
                self._check_offset(request, name, status, state)

        with self._forget_if_unknown(upload_id):
            return await blobs.resume(
                upload_id=upload_id, check=check, begun_at=_begun_at(state)
            )

    @contextmanager
    def _forget_if_unknown(self, upload_id: str) -> Iterator[None]:
        """Stop counting an upload that does not exist any more, after a purge say."""
        try:
            yield
        except BlobUploadUnknown:
            self._unfinished.forget(upload_id)
            raise

    def _state(
        self, request: RegistryRequest, name: RepositoryName, upload_id: str
    ) -> UploadState | None:
        """Unseal the state in the URL; ``None`` if there is none.

        Callers look the upload up first and then call :func:`_require_state`, so that
        an upload that does not exist is a 404 with or without a state.

        :raise BlobUploadInvalid: the state is forged, or another upload's.
        """
        token = request.query("_state")
        return None if token is None else unseal(token, self._secret(), name, upload_id)

    async def _mounted(
        self, request: RegistryRequest, name: RepositoryName, mount: BlobMount
    ) -> bytes:
        repository = await self._namespace.repository(name=name)
        descriptor = await repository.blobs.stat(digest=mount.digest)
        url = self._created(request, name, mount.digest)
        await self._events.blob(
            request, Action.MOUNT, name, descriptor, url, mount.source
        )
        return b""

    def _check_offset(
        self,
        request: RegistryRequest,
        name: RepositoryName,
        status: UploadStatus,
        state: UploadState | None,
    ) -> None:
        """Check that the chunk continues the upload, and is not too long.

        :raise UploadRangeInvalid: it does not start at the upload's end; has the URL to
            resume at.
        :raise BlobTooLarge: the blob would exceed the limit.
        """
        chunk = parse_chunk(request.header("Content-Range"))
        check_chunk(chunk, request.body.content_length)
        there = status.size
        expected = {there} if chunk is None else {there, chunk.start}
        if state is not None:
            expected.add(state.offset)
        if expected != {there}:
            raise UploadRangeInvalid(there, self._location(request, name, status))
        self._check_length(request, there)

    def _check_length(self, request: RegistryRequest, there: int) -> None:
        content_length = request.body.content_length or 0
        if self._max_bytes and there + content_length > self._max_bytes:
            raise BlobTooLarge({"limit": self._max_bytes})

    async def _receive(self, request: RegistryRequest, writer: IBlobWriter) -> None:
        """Write the body to the upload; if that fails, keep what was received."""
        try:
            await self._write_body(request, writer)
        except BaseException:
            # The client may resume from there.
            _close_in_background(writer)
            raise

    async def _write_body(self, request: RegistryRequest, writer: IBlobWriter) -> None:
        """Write the body to the upload, and wait until it is written.

        :raise SizeInvalid: it has not the length of its ``Content-Range``.
        :raise BlobTooLarge: the blob exceeds the limit.
        """
        if request.body.content_length == 0:
            return
        chunk = parse_chunk(request.header("Content-Range"))
        limit = self._max_bytes - writer.size if self._max_bytes else None
        if chunk is not None:
            limit = chunk.end - chunk.start
        try:
            received = await request.body.read(writer, limit)
        except ConsumerStopped:
            # If the disk failed, this raises its error. If not, another request has
            # taken the upload over.
            await writer.flush()
            raise
        await writer.flush()
        if chunk is not None and (request.body.overflowed or received != limit):
            raise SizeInvalid({"expected": limit, "received": received})
        if request.body.overflowed:
            raise BlobTooLarge({"limit": self._max_bytes})

    async def _complete(
        self,
        request: RegistryRequest,
        name: RepositoryName,
        writer: IBlobWriter,
        digest: Digest,
    ) -> bytes:
        await self._receive(request, writer)
        try:
            descriptor = await _commit(writer, digest)
        finally:
            self._unfinished.forget(writer.upload_id)
        url = self._created(request, name, digest)
        await self._events.blob(request, Action.PUSH, name, descriptor, url)
        return b""

    def _created(
        self, request: RegistryRequest, name: RepositoryName, digest: Digest
    ) -> str:
        """Answer 201; return the blob's URL, with the digest that the client sent."""
        url = self._urls.blob(request, name, digest)
        request.setResponseCode(201)
        request.setHeader(b"Location", url)
        request.setHeader(b"Docker-Content-Digest", str(digest))
        request.setHeader(b"Content-Length", b"0")
        return url

    def _accepted(
        self,
        request: RegistryRequest,
        name: RepositoryName,
        status: UploadStatus,
        code: int,
    ) -> bytes:
        """Answer with the URL and the size of an upload."""
        request.setResponseCode(code)
        request.setHeader(b"Location", self._location(request, name, status))
        request.setHeader(b"Range", f"0-{max(0, status.size - 1)}")
        request.setHeader(b"Docker-Upload-UUID", status.upload_id)
        if code != 204:
            request.setHeader(b"Content-Length", b"0")
        return b""

    def _location(
        self, request: RegistryRequest, name: RepositoryName, status: UploadStatus
    ) -> str:
        started = write_time(status.started_at)
        state = UploadState(name, status.upload_id, status.size, started)
        sealed = seal(state, self._secret())
        return self._urls.upload(request, name, status.upload_id, sealed)


async def _commit(writer: IBlobWriter, digest: Digest) -> Descriptor:
    """Commit an upload; delete it if that fails, as it cannot be resumed then."""
    try:
        return await writer.commit(provisional=Descriptor(digest, None))
    except RegistryError:
        await writer.cancel()
        raise
    except BaseException:
        message = (
            "upload {upload}: not committed, not deleted; left to the purge of uploads"
        )
        _log_failure_of(writer.cancel(), message, writer.upload_id)
        raise


def _require_state(state: UploadState | None) -> None:
    """Check that the client knows the upload's URL, and not only its id.

    An id is part of paths and no secret; the sealed state is known only to the client
    that started the upload.

    :raise BlobUploadInvalid: the request has no state.
    """
    if state is None:
        raise BlobUploadInvalid({"reason": "the URL has no _state parameter"})


def _algorithm(request: RegistryRequest, digest: Digest | None) -> str | None:
    """Return the digest algorithm of the request; ``None`` if it names none.

    :raise DigestInvalid: the algorithm is not supported.
    """
    wanted = request.query("digest-algorithm")
    if wanted is None:
        return None if digest is None else digest.algorithm
    if wanted not in HEX_LENGTHS:
        raise DigestInvalid({"digest-algorithm": wanted[:40]})
    return wanted


def _now(request: RegistryRequest) -> float:
    return cast(SiteContext, request.site).clock.seconds()


def _status(writer: IBlobWriter) -> UploadStatus:
    return UploadStatus(writer.upload_id, writer.size, writer.started_at)


def _begun_at(state: UploadState | None) -> float | None:
    """Return the start of an upload that was empty when its URL was sent.

    Such an upload may not be stored anywhere yet: it is created when it is resumed.
    ``None`` for any other.
    """
    if state is None or state.offset:
        return None
    try:
        return read_time(state.started_at)
    except ValueError:
        return None


def _upload_id(text: str) -> str:
    if UPLOAD_ID.fullmatch(text) is None:
        raise BlobUploadUnknown()
    return text


def _close_in_background(writer: IBlobWriter) -> None:
    message = "upload {upload}: received bytes not saved; the client must resend them"
    _log_failure_of(writer.close(), message, writer.upload_id)


def _log_failure_of(done: Deferred[None], message: str, upload_id: str) -> None:
    """Log a failure of clean-up that nothing waits for, in the request's context."""
    context = copy_context()
    done.addErrback(
        lambda failure: context.run(_log.failure, message, failure, upload=upload_id)
    )
