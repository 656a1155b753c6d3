"""What answers about uploads carry, and what their URLs bring back.

The state of an upload goes to its client and comes back in the URL, sealed: whoever has
it has begun the upload, and any process that knows the secret can go on with it.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from txregistry.flow.rfc3339 import read_time, write_time
from txregistry.interfaces.blobs import UploadStatus
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobUploadInvalid
from txregistry.spec.reference import RepositoryName
from txregistry.spec.uploadtoken import UploadState, seal, unseal
from txregistry.web.http.request import RegistryRequest
from txregistry.web.urls import Urls


@attrs.frozen
class UploadAnswers:
    """Answers requests about uploads.

    :param secret: returns the key that seals the state in URLs (``http.secret``).
    """

    _urls: Urls
    _secret: Callable[[], bytes]

    def state(
        self, request: RegistryRequest, name: RepositoryName, upload_id: str
    ) -> UploadState | None:
        """Unseal the state in the URL; ``None`` if there is none.

        Callers look the upload up first and then call :func:`require_state`, so that
        an upload that does not exist is a 404 with or without a state.

        :raise BlobUploadInvalid: the state is forged, or another upload's.
        """
        token = request.query("_state")
        return None if token is None else unseal(token, self._secret(), name, upload_id)

    def created(
        self, request: RegistryRequest, name: RepositoryName, digest: Digest
    ) -> str:
        """Answer 201; return the blob's URL, with the digest that the client sent."""
        url = self._urls.blob(request, name, digest)
        request.setResponseCode(201)
        request.setHeader(b"Location", url)
        request.setHeader(b"Docker-Content-Digest", str(digest))
        request.setHeader(b"Content-Length", b"0")
        return url

    def accepted(
        self,
        request: RegistryRequest,
        name: RepositoryName,
        status: UploadStatus,
        code: int,
    ) -> bytes:
        """Answer with the URL and the size of an upload."""
        request.setResponseCode(code)
        request.setHeader(b"Location", self.location(request, name, status))
        request.setHeader(b"Range", f"0-{max(0, status.size - 1)}")
        request.setHeader(b"Docker-Upload-UUID", status.upload_id)
        if code != 204:
            request.setHeader(b"Content-Length", b"0")
        return b""

    def location(
        self, request: RegistryRequest, name: RepositoryName, status: UploadStatus
    ) -> str:
        """Return the URL by which an upload goes on from where it is."""
        started = write_time(status.started_at)
        state = UploadState(name, status.upload_id, status.size, started)
        sealed = seal(state, self._secret())
        return self._urls.upload(request, name, status.upload_id, sealed)


def require_state(state: UploadState | None) -> None:
    """Check that the client knows the upload's URL, and not only its id.

    An id is part of paths and no secret; the sealed state is known only to the client
    that started the upload.

    :raise BlobUploadInvalid: the request has no state.
    """
    if state is None:
        raise BlobUploadInvalid({"reason": "the URL has no _state parameter"})


def begun_at(state: UploadState | None) -> float | None:
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
