"""``/v2/<name>/blobs/<digest>``: GET and HEAD with ranges, and DELETE."""

from __future__ import annotations

from typing import cast

import attrs
from twisted.web.http import TEMPORARY_REDIRECT

from txregistry.interfaces.access import Grant
from txregistry.interfaces.blobs import (
    BlobLocation,
    IBlobDeleter,
    IBlobLocator,
    IBlobService,
)
from txregistry.interfaces.driver import FileRequest
from txregistry.interfaces.events import Action
from txregistry.interfaces.namespace import INamespace
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import Unsupported
from txregistry.spec.mediatypes import OCTET_STREAM
from txregistry.spec.reference import RepositoryName
from txregistry.web.events import EventEmitter
from txregistry.web.http.request import RegistryRequest
from txregistry.web.provenance import collect_status
from txregistry.web.transfer import describe, is_not_modified, send
from txregistry.web.urls import Urls

#: ``Cache-Control`` of a blob: the content of a digest never changes.
_IMMUTABLE = b"max-age=31536000"


@attrs.frozen
class Blobs:
    """The blob resource.

    :param redirects: clients are sent to the storage where it has URLs for them.
    """

    _namespace: INamespace
    _urls: Urls
    _events: EventEmitter
    _redirects: bool = True

    async def get(
        self, request: RegistryRequest, grant: Grant, name: RepositoryName, digest: str
    ) -> None:
        """Answer GET and HEAD; a GET is reported as a pull event."""
        request.handler = "blob"
        wanted = Digest.parse(digest)
        repository = await self._namespace.repository(name=name)
        location = await self._locate(request, repository.blobs, wanted)
        if location is not None:
            found = _redirect(request, location, wanted)
        elif request.method == b"HEAD":
            found = await self._head(request, repository.blobs, wanted)
        else:
            found = await self._get(request, repository.blobs, wanted)
        if request.method == b"HEAD" or found is None:
            return
        if self._events.listening:
            url = self._urls.blob(request, name, wanted)
            await self._events.blob(request, Action.PULL, name, found, url)

    async def delete(
        self, request: RegistryRequest, grant: Grant, name: RepositoryName, digest: str
    ) -> bytes:
        """Answer DELETE: unlink the blob from the repository.

        Its content stays until it is garbage-collected.
        """
        request.handler = "blob"
        wanted = Digest.parse(digest)
        repository = await self._namespace.repository(name=name)
        if not IBlobDeleter.providedBy(repository.blobs):
            raise Unsupported()
        await cast(IBlobDeleter, repository.blobs).delete(digest=wanted)
        await self._events.deleted(request, name, digest=wanted)
        request.setResponseCode(202)
        request.setHeader(b"Content-Length", b"0")
        return b""

    async def _locate(
        self, request: RegistryRequest, blobs: IBlobService, digest: Digest
    ) -> BlobLocation | None:
        """Return where the client reads the blob itself; ``None`` if it cannot."""
        if not self._redirects or not IBlobLocator.providedBy(blobs):
            return None
        asked = FileRequest(request.method.decode("ascii"), request.peer)
        with collect_status(request):
            return await cast(IBlobLocator, blobs).locate(digest=digest, request=asked)

    async def _head(
        self, request: RegistryRequest, blobs: IBlobService, digest: Digest
    ) -> Descriptor | None:
        with collect_status(request):
            found = await blobs.stat(digest=digest)
        return _describe(request, found, digest)

    async def _get(
        self, request: RegistryRequest, blobs: IBlobService, digest: Digest
    ) -> Descriptor | None:
        """Send the blob; return its descriptor, or ``None`` after a 304."""
        # Opening a blob may start a download from the upstream, which a client that has
        # the blob does not need.
        is_conditional = request.requestHeaders.hasHeader("If-None-Match")
        if is_conditional and await self._head(request, blobs, digest) is None:
            return None
        with collect_status(request):
            reader = await blobs.open(digest=digest)
        try:
            descriptor = _describe(request, reader.descriptor, digest)
            if descriptor is not None:
                await send(request, reader, descriptor)
            return descriptor
        finally:
            reader.close()


def _describe(
    request: RegistryRequest, found: Descriptor, digest: Digest
) -> Descriptor | None:
    """Set the headers of a blob; return its descriptor, or ``None`` for a 304.

    :param digest: the one that was asked for, which the answer gives: it may be an
        alias of the canonical one, which the client does not know.
    """
    descriptor = attrs.evolve(found, digest=digest)
    describe(request, descriptor, OCTET_STREAM)
    request.setHeader(b"Cache-Control", _IMMUTABLE)
    return None if is_not_modified(request, descriptor) else descriptor


def _redirect(
    request: RegistryRequest, location: BlobLocation, digest: Digest
) -> Descriptor | None:
    """Send the client to the storage; return as :func:`_describe`."""
    descriptor = _describe(request, location.descriptor, digest)
    if descriptor is None:
        return None
    for name in (b"ETag", b"Content-Type", b"Accept-Ranges"):
        request.responseHeaders.removeHeader(name)  # they are of the blob
    request.setResponseCode(TEMPORARY_REDIRECT)
    request.setHeader(b"Location", location.url)
    # A signed URL ends, and may be of this client alone.
    request.setHeader(b"Cache-Control", b"no-store")
    request.setHeader(b"Content-Length", b"0")
    return descriptor
