"""``/v2/<name>/blobs/uploads/``: how blobs come in (OCI distribution-spec, "Push")."""

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
from txregistry.interfaces.namespace import IBlobFinder, INamespace
from txregistry.spec.chunks import check_chunk, parse_chunk
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import HEX_LENGTHS, Digest
from txregistry.spec.errors import (
    BlobTooLarge,
    BlobUploadInvalid,
    BlobUploadUnknown,
    DigestInvalid,
    NameInvalid,
    RegistryError,
    SizeInvalid,
    Unsupported,
    UploadRangeInvalid,
)
from txregistry.spec.peers import client_key
from txregistry.spec.reference import RepositoryName
from txregistry.spec.uploadtoken import UPLOAD_ID, UploadState, seal, unseal
from txregistry.web.admission import mount_source
from txregistry.web.events import EventEmitter
from txregistry.web.http.channels import Home
from txregistry.web.http.request import RegistryRequest
from txregistry.web.unfinished_uploads import Unfinished
from txregistry.web.urls import Urls

_log = Logger(namespace="txregistry.web")


@attrs.frozen
class Uploads:
    """The upload resources.

    :param secret: gives what seals the state in URLs (``http.secret``).
    :param max_bytes: of one blob; 0 for no limit.
    :param unfinished: counts those that have begun.
    """

    _namespace: INamespace
    _urls: Urls
    _events: EventEmitter
    _secret: Callable[[], bytes]
    _max_bytes: int
    _unfinished: Unfinished

    async def start(
        self, request: RegistryRequest, grant: Grant, name: RepositoryName
    ) -> bytes:
        """Answer POST: begin, mount, or take the whole blob at once."""
        request.handler = "blob_upload"
        self._check_length(request, 0)
        given = request.query("digest")
        digest = None if given is None else Digest.parse(given)
        algorithm = _algorithm(request, digest)
        blobs = await self._ingester(name)
        mount = await self._mount(request, grant)
        owner = grant.user or client_key(request.peer)
        with self._unfinished.beginning(owner, _now(request)) as beginning:
            if mount is None and digest is None:
                status = await blobs.begin(algorithm=algorithm)
                beginning.name = status.upload_id
                return self._accepted(request, name, status, 202)
            begun = await blobs.create(mount=mount, algorithm=algorithm)
            if not isinstance(begun, Descriptor):
                beginning.name = begun.upload_id
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
        """Answer GET and HEAD: how much is there."""
        request.handler = "blob_upload_chunk"
        upload_id = _upload_id(upload)
        state = self._state(request, name, upload_id)
        blobs = await self._ingester(name)
        with self._watch(upload_id):
            status = await blobs.status(upload_id=upload_id, begun_at=_begun_at(state))
        _require(state)
        return self._accepted(request, name, status, 204)

    async def append(
        self, request: RegistryRequest, grant: Grant, name: RepositoryName, upload: str
    ) -> bytes:
        """Answer PATCH: take a chunk, of whatever length."""
        request.handler = "blob_upload_chunk"
        writer = await self._resume(request, name, upload)
        try:
            await self._take(request, writer)
        except BaseException:
            # What came is kept: the client may go on from there.
            _close_later(writer)
            raise
        await writer.close()
        return self._accepted(request, name, _status(writer), 202)

    async def complete(
        self, request: RegistryRequest, grant: Grant, name: RepositoryName, upload: str
    ) -> bytes:
        """Answer PUT: take the last chunk, if any, and make it a blob."""
        request.handler = "blob_upload_chunk"
        digest = Digest.parse(request.query("digest") or "")
        writer = await self._resume(request, name, upload)
        return await self._complete(request, name, writer, digest)

    async def cancel(
        self, request: RegistryRequest, grant: Grant, name: RepositoryName, upload: str
    ) -> bytes:
        """Answer DELETE: throw an upload away."""
        request.handler = "blob_upload_chunk"
        writer = await self._resume(request, name, upload)
        await writer.cancel()
        self._unfinished.ended(writer.upload_id)
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
            _require(state)
            if request.method != b"DELETE":
                self._check_place(request, name, status, state)

        with self._watch(upload_id):
            return await blobs.resume(
                upload_id=upload_id, check=check, begun_at=_begun_at(state)
            )

    @contextmanager
    def _watch(self, upload_id: str) -> Iterator[None]:
        """Count an upload no more that is found to have gone, as by a purge."""
        try:
            yield
        except BlobUploadUnknown:
            self._unfinished.ended(upload_id)
            raise

    def _state(
        self, request: RegistryRequest, name: RepositoryName, upload_id: str
    ) -> UploadState | None:
        """Give the state that the client sends, if any; see :func:`_require`.

        :raise BlobUploadInvalid: it is not the upload's.
        """
        token = request.query("_state")
        return None if token is None else unseal(token, self._secret(), name, upload_id)

    async def _mount(self, request: RegistryRequest, grant: Grant) -> BlobMount | None:
        """Decide what is to be mounted from where, if anything."""
        wanted = request.query("mount")
        try:
            digest = None if wanted is None else Digest.parse(wanted)
        except DigestInvalid:
            return None  # a client that cannot mount uploads instead
        if digest is None:
            return None
        source = mount_source(request)
        if source is None and request.query("from") is None:
            source = await self._find(digest, grant)
        return None if source is None else BlobMount(digest, source)

    async def _find(self, digest: Digest, grant: Grant) -> RepositoryName | None:
        """Find a repository that holds a blob and that this client may read."""
        if not IBlobFinder.providedBy(self._namespace):
            return None
        finder = cast(IBlobFinder, self._namespace)
        candidates = None
        if not grant.everything:
            candidates = _readable(grant)
        return await finder.holder(digest=digest, candidates=candidates)

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

    def _check_place(
        self,
        request: RegistryRequest,
        name: RepositoryName,
        status: UploadStatus,
        state: UploadState | None,
    ) -> None:
        """See to it that what comes belongs where the upload stands.

        :raise UploadRangeInvalid: it does not; tells where to go on.
        """
        chunk = parse_chunk(request.header("Content-Range"))
        check_chunk(chunk, request.body.announced)
        there = status.size
        expected = {there} if chunk is None else {there, chunk.start}
        if state is not None:
            expected.add(state.offset)
        if expected != {there}:
            raise UploadRangeInvalid(there, self._location(request, name, status))
        self._check_length(request, there)

    def _check_length(self, request: RegistryRequest, there: int) -> None:
        announced = request.body.announced or 0
        if self._max_bytes and there + announced > self._max_bytes:
            raise BlobTooLarge({"limit": self._max_bytes})

    async def _take(self, request: RegistryRequest, writer: IBlobWriter) -> None:
        """Move the body into the upload."""
        if request.body.announced == 0:
            return
        chunk = parse_chunk(request.header("Content-Range"))
        most = self._max_bytes - writer.size if self._max_bytes else None
        if chunk is not None:
            most = chunk.end - chunk.start
        try:
            received = await request.body.read(writer, most)
        except ConsumerStopped:
            # The disk says what is wrong; if nothing is, another request took over.
            await writer.flush()
            raise
        await writer.flush()
        if chunk is not None and (request.body.overflowed or received != most):
            raise SizeInvalid({"expected": most, "received": received})
        if request.body.overflowed:
            raise BlobTooLarge({"limit": self._max_bytes})

    async def _complete(
        self,
        request: RegistryRequest,
        name: RepositoryName,
        writer: IBlobWriter,
        digest: Digest,
    ) -> bytes:
        try:
            await self._take(request, writer)
        except BaseException:
            _close_later(writer)
            raise
        try:
            descriptor = await writer.commit(provisional=Descriptor(digest, None))
        except RegistryError:
            await writer.cancel()
            self._unfinished.ended(writer.upload_id)
            raise
        except BaseException:
            # Nobody can make a blob of it any more.
            _later(writer.cancel(), "an upload could not be thrown away")
            self._unfinished.ended(writer.upload_id)
            raise
        self._unfinished.ended(writer.upload_id)
        url = self._created(request, name, digest)
        await self._events.blob(request, Action.PUSH, name, descriptor, url)
        return b""

    def _created(
        self, request: RegistryRequest, name: RepositoryName, digest: Digest
    ) -> str:
        """Say that a blob is there, by the digest that the client knows it by."""
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
        """Say how far an upload has come."""
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


def _require(state: UploadState | None) -> None:
    """See to it that a client has the URL that we gave, and not only an id.

    Ids stand in paths, and are no secret; what is sealed is known to who began.

    :raise BlobUploadInvalid: it has sent no state.
    """
    if state is None:
        raise BlobUploadInvalid({"reason": "the URL lacks its _state"})


def _algorithm(request: RegistryRequest, digest: Digest | None) -> str | None:
    """Say which digest to compute, as far as the client tells.

    :raise DigestInvalid: one that is not known.
    """
    wanted = request.query("digest-algorithm")
    if wanted is None:
        return None if digest is None else digest.algorithm
    if wanted not in HEX_LENGTHS:
        raise DigestInvalid({"digest-algorithm": wanted[:40]})
    return wanted


def _readable(grant: Grant) -> list[RepositoryName]:
    """Give the repositories that a client may pull from."""
    found = []
    for access in grant.access:
        if access.kind == "repository" and access.action in ("pull", "*"):
            try:
                found.append(RepositoryName.parse(access.name))
            except NameInvalid:
                continue  # a token may speak of anything
    return found


def _now(request: RegistryRequest) -> float:
    return cast(Home, request.site).clock.seconds()


def _status(writer: IBlobWriter) -> UploadStatus:
    return UploadStatus(writer.upload_id, writer.size, writer.started_at)


def _begun_at(state: UploadState | None) -> float | None:
    """Say when an upload was begun to which nothing had come when its client heard."""
    if state is None or state.offset:
        return None
    try:
        return read_time(state.started_at)
    except ValueError:
        return None


def _upload_id(text: str) -> str:
    if UPLOAD_ID.fullmatch(text) is None or text in (".", ".."):
        raise BlobUploadUnknown()
    return text


def _close_later(writer: IBlobWriter) -> None:
    _later(writer.close(), "an upload could not be kept")


def _later(done: Deferred[None], what: str) -> None:
    """Let clean-up take its time: whoever caused it is answered, or has gone."""
    context = copy_context()
    done.addErrback(lambda failure: context.run(_log.failure, what, failure))
