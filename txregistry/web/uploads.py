"""``/v2/<name>/blobs/uploads/``: uploads (OCI distribution-spec, "Pushing Blobs")."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import attrs

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
    BlobUploadUnknown,
    DigestInvalid,
    Unsupported,
    UploadRangeInvalid,
)
from txregistry.spec.peers import client_key
from txregistry.spec.reference import RepositoryName
from txregistry.spec.uploadtoken import UPLOAD_ID, UploadState
from txregistry.spec.upstreams import UpstreamTable
from txregistry.web.events import EventEmitter
from txregistry.web.http.connections import SiteContext
from txregistry.web.http.request import RegistryRequest
from txregistry.web.mounts import requested_mount
from txregistry.web.unfinished_uploads import UnfinishedUploads
from txregistry.web.upload_answers import UploadAnswers, begun_at, require_state
from txregistry.web.upload_bodies import commit, receive


@attrs.frozen
class Uploads:
    """The upload resources.

    :param max_bytes: of one blob; 0 for no limit.
    :param unfinished: limits the number of unfinished uploads.
    """

    _namespace: INamespace
    _upstreams: UpstreamTable
    _answers: UploadAnswers
    _events: EventEmitter
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
                return self._answers.accepted(request, name, status, 202)
            begun = await blobs.create(mount=mount, algorithm=algorithm)
            if not isinstance(begun, Descriptor):
                new.upload_id = begun.upload_id
        if isinstance(begun, Descriptor):
            assert mount is not None
            return await self._mounted(request, name, mount)
        if digest is not None:
            return await self._complete(request, name, begun, digest)
        await begun.close()
        return self._answers.accepted(request, name, _status(begun), 202)

    async def status(
        self, request: RegistryRequest, grant: Grant, name: RepositoryName, upload: str
    ) -> bytes:
        """Answer GET and HEAD: how many bytes the upload has."""
        request.handler = "blob_upload_chunk"
        upload_id = _upload_id(upload)
        state = self._answers.state(request, name, upload_id)
        blobs = await self._ingester(name)
        with self._forget_if_unknown(upload_id):
            status = await blobs.status(upload_id=upload_id, begun_at=begun_at(state))
        require_state(state)
        return self._answers.accepted(request, name, status, 204)

    async def append(
        self, request: RegistryRequest, grant: Grant, name: RepositoryName, upload: str
    ) -> bytes:
        """Answer PATCH: append a chunk of any length."""
        request.handler = "blob_upload_chunk"
        writer = await self._resume(request, name, upload)
        await receive(request, writer, self._max_bytes)
        await writer.close()
        return self._answers.accepted(request, name, _status(writer), 202)

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
        state = self._answers.state(request, name, upload_id)
        blobs = await self._ingester(name)

        def check(status: UploadStatus) -> None:
            require_state(state)
            if request.method != b"DELETE":
                self._check_offset(request, name, status, state)

        with self._forget_if_unknown(upload_id):
            return await blobs.resume(
                upload_id=upload_id, check=check, begun_at=begun_at(state)
            )

    @contextmanager
    def _forget_if_unknown(self, upload_id: str) -> Iterator[None]:
        """Stop counting an upload that does not exist any more, after a purge say."""
        try:
            yield
        except BlobUploadUnknown:
            self._unfinished.forget(upload_id)
            raise

    async def _mounted(
        self, request: RegistryRequest, name: RepositoryName, mount: BlobMount
    ) -> bytes:
        repository = await self._namespace.repository(name=name)
        descriptor = await repository.blobs.stat(digest=mount.digest)
        url = self._answers.created(request, name, mount.digest)
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
            raise UploadRangeInvalid(
                there, self._answers.location(request, name, status)
            )
        self._check_length(request, there)

    def _check_length(self, request: RegistryRequest, there: int) -> None:
        content_length = request.body.content_length or 0
        if self._max_bytes and there + content_length > self._max_bytes:
            raise BlobTooLarge({"limit": self._max_bytes})

    async def _complete(
        self,
        request: RegistryRequest,
        name: RepositoryName,
        writer: IBlobWriter,
        digest: Digest,
    ) -> bytes:
        await receive(request, writer, self._max_bytes)
        try:
            descriptor = await commit(writer, digest)
        finally:
            self._unfinished.forget(writer.upload_id)
        url = self._answers.created(request, name, digest)
        await self._events.blob(request, Action.PUSH, name, descriptor, url)
        return b""


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


def _upload_id(text: str) -> str:
    if UPLOAD_ID.fullmatch(text) is None:
        raise BlobUploadUnknown()
    return text
