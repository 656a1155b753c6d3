"""The errors that are sent to clients, each with its code, status and message.

The codes are those of the OCI distribution specification ("Error Codes") and of
Docker distribution. :mod:`txregistry.web.errors` turns errors into responses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar


class RegistryError(Exception):
    """An error that is sent to the client.

    :ivar code: the error code of the specification.
    :ivar status: the HTTP status of a response whose first error this is.
    :ivar message: the wording of the specification.
    :ivar detail: JSON-serializable facts that help to fix it; never a secret.
    """

    code: ClassVar[str] = "UNKNOWN"
    status: ClassVar[int] = 500
    message: ClassVar[str] = "unknown error"

    def __init__(self, detail: object = None) -> None:
        super().__init__(detail)
        self.detail = detail

    @property
    def headers(self) -> Mapping[str, str]:
        """Response headers that go with this error."""
        return {}

    def __str__(self) -> str:
        return self.message if self.detail is None else f"{self.message}: {self.detail}"


class Unsupported(RegistryError):
    """The operation is not supported, or disabled by the configuration."""

    code = "UNSUPPORTED"
    status = 405
    message = "The operation is unsupported."


class NotFound(RegistryError):
    """No route of the API has this path."""

    code = "NOT_FOUND"
    status = 404
    message = "page not found"


class BadRequest(RegistryError):
    """The request is malformed."""

    code = "BAD_REQUEST"
    status = 400
    message = "malformed request"


class PreconditionFailed(RegistryError):
    """The content does not match ``If-Match`` (RFC 9110, 13.1.1)."""

    code = "PRECONDITION_FAILED"
    status = 412
    message = "precondition failed"


class Unauthorized(RegistryError):
    """The client has to authenticate.

    :ivar challenge: the value of ``WWW-Authenticate``; empty for none.
    """

    code = "UNAUTHORIZED"
    status = 401
    message = "authentication required"

    def __init__(self, detail: object = None, challenge: str = "") -> None:
        super().__init__(detail)
        self.challenge = challenge

    @property
    def headers(self) -> Mapping[str, str]:
        """Response headers that go with this error."""
        return {"WWW-Authenticate": self.challenge} if self.challenge else {}


class Denied(RegistryError):
    """Access is refused; authenticating does not help."""

    code = "DENIED"
    status = 403
    message = "requested access to the resource is denied"


class TooManyRequests(RegistryError):
    """A limit was exceeded.

    :ivar retry_after: seconds until a retry may succeed; ``None`` if unknown.
    """

    code = "TOOMANYREQUESTS"
    status = 429
    message = "too many requests"

    def __init__(self, detail: object = None, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after

    @property
    def headers(self) -> Mapping[str, str]:
        """Response headers that go with this error."""
        return _retry_after(self.retry_after)


class Unavailable(RegistryError):
    """The service is temporarily unable to respond.

    :ivar retry_after: seconds until a retry may succeed; ``None`` if unknown.
    """

    code = "UNAVAILABLE"
    status = 503
    message = "service unavailable"

    def __init__(self, detail: object = None, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after

    @property
    def headers(self) -> Mapping[str, str]:
        """Response headers that go with this error."""
        return _retry_after(self.retry_after)


class CacheFull(Unavailable):
    """The cache cannot store it: there is no room, or the disk refuses."""

    message = "the cache has no room for it"

    def __init__(self, detail: object = None, retry_after: float | None = 30.0) -> None:
        # Room is made, and others delete, within seconds.
        super().__init__(detail, retry_after)


class UpstreamUnavailable(Unavailable):
    """The upstream is not asked for now: its circuit breaker is open."""


class UpstreamFailed(RegistryError):
    """The upstream cannot be reached, or sent an unusable response."""

    code = "UNAVAILABLE"
    status = 502
    message = "upstream registry failed"


class UpstreamTimeout(UpstreamFailed):
    """The upstream did not respond in time."""

    status = 504
    message = "upstream registry did not answer in time"


class DigestInvalid(RegistryError):
    """A digest is malformed or does not match the content."""

    code = "DIGEST_INVALID"
    status = 400
    message = "provided digest did not match uploaded content"


class SizeInvalid(RegistryError):
    """A length is malformed or does not match the content."""

    code = "SIZE_INVALID"
    status = 400
    message = "provided length did not match content length"


class RangeInvalid(RegistryError):
    """No byte of the requested range exists.

    :ivar size: of the content, in bytes.
    """

    code = "RANGE_INVALID"
    status = 416
    message = "invalid content range"

    def __init__(self, size: int) -> None:
        super().__init__({"size": size})
        self.size = size

    @property
    def headers(self) -> Mapping[str, str]:
        """Response headers that go with this error."""
        return {"Content-Range": f"bytes */{self.size}"}


class UploadRangeInvalid(RegistryError):
    """A chunk does not begin at the end of the upload.

    :ivar size: bytes received so far.
    :ivar location: the URL to continue at.
    """

    code = "RANGE_INVALID"
    status = 416
    message = "invalid content range"

    def __init__(self, size: int, location: str) -> None:
        super().__init__({"size": size})
        self.size = size
        self.location = location

    @property
    def headers(self) -> Mapping[str, str]:
        """Response headers that go with this error."""
        return {"Location": self.location, "Range": f"0-{max(0, self.size - 1)}"}


class NameInvalid(RegistryError):
    """A repository name breaks the grammar."""

    code = "NAME_INVALID"
    status = 400
    message = "invalid repository name"


class NameUnknown(RegistryError):
    """No such repository."""

    code = "NAME_UNKNOWN"
    status = 404
    message = "repository name not known to registry"


class TagInvalid(RegistryError):
    """A tag breaks the grammar."""

    code = "TAG_INVALID"
    status = 400
    message = "manifest tag did not match URI"


class ManifestUnknown(RegistryError):
    """No such manifest or tag in this repository."""

    code = "MANIFEST_UNKNOWN"
    status = 404
    message = "manifest unknown"


class ManifestInvalid(RegistryError):
    """The document is not a manifest of its media type."""

    code = "MANIFEST_INVALID"
    status = 400
    message = "manifest invalid"


class ManifestTooLarge(ManifestInvalid):
    """The document is longer than the limit for manifests."""

    status = 413


class ManifestUnverified(RegistryError):
    """A signature of the document is missing or invalid."""

    code = "MANIFEST_UNVERIFIED"
    status = 400
    message = "manifest failed signature verification"


class ManifestBlobUnknown(RegistryError):
    """The document refers to content that is not in this repository."""

    code = "MANIFEST_BLOB_UNKNOWN"
    status = 400
    message = "blob unknown to registry"


class UriTooLong(RegistryError):
    """A URL has too many parameters."""

    code = "BAD_REQUEST"
    status = 414
    message = "too many parameters"


class BlobTooLarge(SizeInvalid):
    """The content is longer than ``http.limits.uploadbytes``."""

    status = 413


class BlobUnknown(RegistryError):
    """No such blob in this repository."""

    code = "BLOB_UNKNOWN"
    status = 404
    message = "blob unknown to registry"


class BlobUploadUnknown(RegistryError):
    """No such upload in this repository."""

    code = "BLOB_UPLOAD_UNKNOWN"
    status = 404
    message = "blob upload unknown to registry"


class BlobUploadInvalid(RegistryError):
    """The ``_state`` of a request does not belong to its upload."""

    code = "BLOB_UPLOAD_INVALID"
    status = 404
    message = "blob upload invalid"


class PaginationNumberInvalid(RegistryError):
    """``n`` is not a number in the permitted range."""

    code = "PAGINATION_NUMBER_INVALID"
    status = 400
    message = "invalid number of results requested"


class Several(RegistryError):
    """Several errors in one response; its status is that of the first."""

    def __init__(self, errors: Sequence[RegistryError]) -> None:
        super().__init__([str(error) for error in errors])
        self.errors = tuple(errors)


def _retry_after(seconds: float | None) -> Mapping[str, str]:
    return {} if seconds is None else {"Retry-After": str(max(1, round(seconds)))}


def envelope(*errors: RegistryError) -> dict[str, object]:
    """Return the JSON document of errors that the specification defines."""
    return {"errors": [_entry(error) for error in errors]}


def _entry(error: RegistryError) -> dict[str, object]:
    entry: dict[str, object] = {"code": error.code, "message": error.message}
    if error.detail is not None:
        entry["detail"] = error.detail
    return entry
