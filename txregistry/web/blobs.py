"""``/v2/<name>/blobs/<digest>``: GET and HEAD with ranges, and DELETE."""

from __future__ import annotations

from typing import cast

import attrs
from twisted.web.http import NOT_MODIFIED

from txregistry.interfaces.access import Grant
from txregistry.interfaces.blobs import IBlobDeleter, IBlobService
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
    """The blob resource."""

    _namespace: INamespace
    _urls: Urls
    _events: EventEmitter

    async def get(
        self, request: RegistryRequest, grant: Grant, name: RepositoryName, digest: str
    ) -> None:
        """Answer GET and HEAD; a GET is reported as a pull event."""
        request.handler = "blob"
        wanted = Digest.parse(digest)
        repository = await self._namespace.repository(name=name)
        if request.method == b"HEAD":
            await self._head(request, repository.blobs, wanted)
            return
        found = await self._get(request, repository.blobs, wanted)
        if found is not None and self._events.listening:
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

    async def _head(
        self, request: RegistryRequest, blobs: IBlobService, digest: Digest
    ) -> None:
        with collect_status(request):
            found = await blobs.stat(digest=digest)
        # Answer with the digest that was asked for: it may be an alias of the
        # canonical one, which the client does not know.
        descriptor = attrs.evolve(found, digest=digest)
        describe(request, descriptor, OCTET_STREAM)
        request.setHeader(b"Cache-Control", _IMMUTABLE)
        is_not_modified(request, descriptor)

    async def _get(
        self, request: RegistryRequest, blobs: IBlobService, digest: Digest
    ) -> Descriptor | None:
        """Send the blob; return its descriptor, or ``None`` after a 304."""
        if request.requestHeaders.hasHeader("If-None-Match"):
            # Opening a blob may start a download from the upstream, which a client
            # that has the blob does not need.
            await self._head(request, blobs, digest)
            if request.code == NOT_MODIFIED:
                return None
        with collect_status(request):
            reader = await blobs.open(digest=digest)
        try:
            descriptor = attrs.evolve(reader.descriptor, digest=digest)
            describe(request, descriptor, OCTET_STREAM)
            request.setHeader(b"Cache-Control", _IMMUTABLE)
            if not is_not_modified(request, descriptor):
                await send(request, reader, descriptor)
            return descriptor
        finally:
            reader.close()
