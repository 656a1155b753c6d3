"""Every error a client can be told, each with its code, status and message.

The codes are those of the OCI distribution specification ("Error Codes") and of
Docker distribution. Errors carry facts as attributes; :mod:`txregistry.web.errors`
is the only place that turns them into a response.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar


class RegistryError(Exception):
    """Something a client is told as an OCI error.

    :ivar code: the specification's error code.
    :ivar status: the HTTP status of a response that has this error first.
    :ivar message: the specification's wording.
    :ivar detail: JSON-able facts for whoever can act on them; never a secret.
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
    """The operation does not exist here or is switched off."""

    code = "UNSUPPORTED"
    status = 405
    message = "The operation is unsupported."


class NotFound(RegistryError):
    """No route of the API has this path."""

    code = "NOT_FOUND"
    status = 404
    message = "page not found"


class BadRequest(RegistryError):
    """The request itself cannot be understood."""

    code = "BAD_REQUEST"
    status = 400
    message = "malformed request"


class PreconditionFailed(RegistryError):
    """The content is not what the client makes its condition (RFC 9110, 13.1.1)."""

    code = "PRECONDITION_FAILED"
    status = 412
    message = "precondition failed"


class Unauthorized(RegistryError):
    """Somebody has to authenticate first; ``challenge`` tells how."""

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
    """Authenticated or not, access is refused."""

    code = "DENIED"
    status = 403
    message = "requested access to the resource is denied"


class TooManyRequests(RegistryError):
    """A rate limit was hit; ``retry_after`` seconds may be known."""

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
    """This service cannot answer now and may later."""

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


class UpstreamUnavailable(Unavailable):
    """The upstream is not being asked at the moment (its circuit is open)."""


class UpstreamFailed(RegistryError):
    """The upstream could not be reached or gave an unusable answer."""

    code = "UNAVAILABLE"
    status = 502
    message = "upstream registry failed"


class UpstreamTimeout(UpstreamFailed):
    """The upstream did not answer in time."""

    status = 504
    message = "upstream registry did not answer in time"


class DigestInvalid(RegistryError):
    """A digest is malformed or does not belong to the content."""

    code = "DIGEST_INVALID"
    status = 400
    message = "provided digest did not match uploaded content"


class SizeInvalid(RegistryError):
    """A length does not belong to the content."""

    code = "SIZE_INVALID"
    status = 400
    message = "provided length did not match content length"


class RangeInvalid(RegistryError):
    """No byte of the requested range exists; ``size`` is what does exist."""

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
    """A chunk does not begin where the upload stands.

    :ivar size: bytes that are there.
    :ivar location: where to go on.
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
    """The document is longer than a manifest may be."""

    status = 413


class ManifestUnverified(RegistryError):
    """A signature of the document is not one."""

    code = "MANIFEST_UNVERIFIED"
    status = 400
    message = "manifest failed signature verification"


class ManifestBlobUnknown(RegistryError):
    """The document refers to something that is not in this repository."""

    code = "MANIFEST_BLOB_UNKNOWN"
    status = 400
    message = "blob unknown to registry"


class UriTooLong(RegistryError):
    """More was put into a URL than there may be."""

    code = "BAD_REQUEST"
    status = 414
    message = "too many parameters"


class BlobTooLarge(SizeInvalid):
    """The content is longer than a blob may be here."""

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
    """A request does not belong to the upload it names."""

    code = "BLOB_UPLOAD_INVALID"
    status = 404
    message = "blob upload invalid"


class PaginationNumberInvalid(RegistryError):
    """``n`` is not a number in the permitted range."""

    code = "PAGINATION_NUMBER_INVALID"
    status = 400
    message = "invalid number of results requested"


class Several(RegistryError):
    """Several errors, told together; the status is that of the first."""

    def __init__(self, errors: Sequence[RegistryError]) -> None:
        super().__init__([str(error) for error in errors])
        self.errors = tuple(errors)


def _retry_after(seconds: float | None) -> Mapping[str, str]:
    return {} if seconds is None else {"Retry-After": str(max(1, round(seconds)))}


def envelope(*errors: RegistryError) -> dict[str, object]:
    """Shape errors as the specification's JSON document."""
    return {"errors": [_entry(error) for error in errors]}


def _entry(error: RegistryError) -> dict[str, object]:
    entry: dict[str, object] = {"code": error.code, "message": error.message}
    if error.detail is not None:
        entry["detail"] = error.detail
    return entry
