"""``/v2/<name>/blobs/<digest>``: GET and HEAD, with ranges."""

from __future__ import annotations

import attrs
from twisted.web.http import NOT_MODIFIED

from txregistry.interfaces.blobs import IBlobService
from txregistry.interfaces.namespace import INamespace
from txregistry.spec.digest import Digest
from txregistry.spec.mediatypes import OCTET_STREAM
from txregistry.spec.reference import RepositoryName
from txregistry.web.provenance import collect_status
from txregistry.web.site import RegistryRequest
from txregistry.web.transfer import describe, is_known_to_client, send

#: Content under its digest never changes.
_FOR_EVER = b"max-age=31536000"


@attrs.frozen
class Blobs:
    """The blob resource."""

    _namespace: INamespace

    async def get(self, request: RegistryRequest, name: str, digest: str) -> None:
        """Answer GET and HEAD."""
        request.handler = "blob"
        wanted = Digest.parse(digest)
        repository = await self._namespace.repository(RepositoryName.parse(name))
        if request.method == b"HEAD":
            await self._head(request, repository.blobs, wanted)
        else:
            await self._get(request, repository.blobs, wanted)

    async def _head(
        self, request: RegistryRequest, blobs: IBlobService, digest: Digest
    ) -> None:
        with collect_status(request):
            descriptor = await blobs.stat(digest=digest)
        describe(request, descriptor, OCTET_STREAM)
        request.setHeader(b"Cache-Control", _FOR_EVER)
        is_known_to_client(request, descriptor)

    async def _get(
        self, request: RegistryRequest, blobs: IBlobService, digest: Digest
    ) -> None:
        if request.requestHeaders.hasHeader("If-None-Match"):
            # Whoever may have it already is not to cause a download.
            await self._head(request, blobs, digest)
            if request.code == NOT_MODIFIED:
                return
        with collect_status(request):
            reader = await blobs.open(digest=digest)
        try:
            descriptor = reader.descriptor
            describe(request, descriptor, OCTET_STREAM)
            request.setHeader(b"Cache-Control", _FOR_EVER)
            if not is_known_to_client(request, descriptor):
                await send(request, reader, descriptor)
        finally:
            reader.close()
