"""The blobs of one repository of an upstream."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.streams import ShortRead
from txregistry.interfaces.blobs import (
    IBlobReader,
    IBlobResumer,
    IBlobService,
    IRemoteBlobReader,
)
from txregistry.remote.body import announced_length, header, length_of
from txregistry.remote.client import UpstreamClient
from txregistry.remote.failures import StorageRefused
from txregistry.remote.manifests import HEAD_ONLY
from txregistry.remote.window import Window
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobUnknown
from txregistry.spec.ranges import parse_content_range
from txregistry.spec.reference import RepositoryName

#: Statuses of a range request after which the whole blob is requested. An error that
#: is not about the range shows then.
_RANGE_REFUSED = (400, 401, 403, 404, 405, 410, 412, 416, 501)


@implementer(IRemoteBlobReader)
@attrs.define(eq=False)
class RemoteBlob:
    """An open blob of an upstream: an unread response, and range requests after it.

    A read at ``start`` uses the response, once. Any other read is a range request.

    :ivar start: the offset at which the response begins.
    :ivar validator: the strong ``ETag``, for ``If-Range``.
    """

    descriptor: Descriptor
    start: int
    validator: str | None
    _blobs: RemoteBlobs
    _response: IResponse | None

    @property
    def size(self) -> int:
        """Return the size of the whole blob in bytes; 0 if it is unknown."""
        return self.descriptor.size or 0

    @deferred
    async def read(
        self, consumer: IConsumer, offset: int = 0, size: int | None = None
    ) -> None:
        """Push bytes into a consumer.

        :param size: in bytes; ``None`` for all until the end.
        :return: fires when all are written. Fails with ``ShortRead`` if there are
            fewer than ``size``, or as the request or the body fails.
        """
        total = self.descriptor.size
        if size == 0 or (size is None and total is not None and offset >= total):
            return
        response = await self._response_at(offset, size)
        to_the_end = size is None or (total is not None and offset + size >= total)
        if to_the_end and offset == self.start:
            await self._blobs.client.deliver(response, consumer)
        else:
            await self._read_window(response, consumer, size)
        if size is not None and total is not None and offset + size > total:
            raise ShortRead(f"{offset + size - total} bytes are missing")

    def close(self) -> None:
        """Discard an unread body."""
        response, self._response = self._response, None
        if response is not None:
            self._blobs.client.discard(response)

    @deferred
    async def _response_at(self, offset: int, size: int | None) -> IResponse:
        response, self._response = self._response, None
        if response is not None and offset == self.start:
            return response
        if response is not None:
            self._blobs.client.discard(response)
        last = "" if size is None else str(offset + size - 1)
        digest = self.descriptor.digest
        asked = Headers({"Range": [f"bytes={offset}-{last}"]})
        return await self._blobs.get(digest, asked, (206,))

    @deferred
    async def _read_window(
        self, response: IResponse, consumer: IConsumer, size: int | None
    ) -> None:
        # The response may have more bytes than wanted, as it may be of the whole blob.
        window = Window(consumer, size)
        await window.fill(lambda into: self._blobs.client.deliver(response, into))


@implementer(IBlobService, IBlobResumer)
@attrs.define(eq=False)
class RemoteBlobs:
    """Blobs by GET and HEAD."""

    client: UpstreamClient
    _name: RepositoryName

    @deferred
    async def stat(self, digest: Digest) -> Descriptor:
        """Fire with a blob's descriptor, unverified.

        If HEAD is refused or has no size, GET is used, and its body is discarded.

        :return: fails with ``BlobUnknown``, or as :meth:`UpstreamClient.request`.
        """
        size = await self._head(digest)
        if size is None or (not size and digest != Digest.of(b"", digest.algorithm)):
            response = await self.get(digest, None, (200,))
            self.client.discard(response)
            size = length_of(response)
        return Descriptor(digest, size)

    @deferred
    async def _head(self, digest: Digest) -> int | None:
        """Fire with the size from HEAD, or ``None`` if GET has to be used."""
        try:
            response = await self.client.request(
                "HEAD",
                self._path(digest),
                ok=(200, *HEAD_ONLY),
                not_found=lambda: BlobUnknown(str(digest)),
            )
        except StorageRefused:
            return None
        self.client.discard(response)
        return announced_length(response) if response.code == 200 else None

    @deferred
    async def open(self, digest: Digest) -> IBlobReader:
        """Request a blob by GET.

        :return: fires with a reader whose body has begun; fails with ``BlobUnknown``,
            or as :meth:`UpstreamClient.request`.
        """
        response = await self.get(digest, None, (200,))
        return self._reader(digest, response, 0, length_of(response))

    @deferred
    async def open_from(
        self, digest: Digest, offset: int, validator: str | None
    ) -> IBlobReader:
        """Request the rest of a blob by a range request (RFC 9110, 14.2).

        The reader starts at 0 if the blob has changed, or if the upstream does not
        support ranges or sends another range.

        :param validator: for ``If-Range``, if there is one.
        :return: fires and fails as :meth:`open`.
        """
        asked = Headers({"Range": [f"bytes={offset}-"]})
        if validator is not None:
            asked.setRawHeaders("If-Range", [validator])
        try:
            response = await self.get(digest, asked, (200, 206, *_RANGE_REFUSED))
        except StorageRefused:
            return await self.open(digest)
        if response.code == 200:
            return self._reader(digest, response, 0, length_of(response))
        found = parse_content_range(header(response, "Content-Range"))
        if response.code != 206 or found is None or found[0].start != offset:
            self.client.discard(response)
            return await self.open(digest)
        return self._reader(digest, response, offset, found[1])

    def get(
        self, digest: Digest, headers: Headers | None, ok: tuple[int, ...]
    ) -> Deferred[IResponse]:
        """Request the blob; the caller must read or discard the body.

        :param ok: statuses with which the Deferred fires.
        :return: fires and fails as :meth:`UpstreamClient.request`, and with
            ``BlobUnknown``.
        """
        return self.client.request(
            "GET",
            self._path(digest),
            headers=headers,
            ok=ok,
            not_found=lambda: BlobUnknown(str(digest)),
        )

    def _reader(
        self, digest: Digest, response: IResponse, start: int, size: int | None
    ) -> RemoteBlob:
        tag = header(response, "ETag")
        strong = tag if tag is not None and tag.startswith('"') else None
        return RemoteBlob(Descriptor(digest, size), start, strong, self, response)

    def _path(self, digest: Digest) -> str:
        return f"/v2/{self._name}/blobs/{digest}"
