"""Turn whatever went wrong into OCI JSON, or abort if the answer has begun."""

from __future__ import annotations

import json
from collections.abc import Sequence

from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.python.failure import Failure
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.exceptions import NotFound as NoRoute

from txregistry.flow.streams import ConsumerStopped
from txregistry.interfaces.driver import DriverError, InvalidPath
from txregistry.spec.errors import (
    BadRequest,
    NameInvalid,
    NotFound,
    RegistryError,
    Several,
    Unavailable,
    Unsupported,
    envelope,
)
from txregistry.web.http.body import BodyBroken
from txregistry.web.http.request import RegistryRequest, set_version_header
from txregistry.web.router import Handler

_log = Logger(namespace="txregistry.web")


def error_response(request: RegistryRequest, *errors: RegistryError) -> bytes:
    """Give the body that tells a client of errors; sets status and headers.

    The status is that of the first error. If the answer has begun already, the
    connection is aborted instead: an error must not look like content.
    """
    if request.startedWriting:
        request.abort()
        return b""
    set_version_header(request)
    request.setResponseCode(errors[0].status)
    body = json.dumps(envelope(*errors)).encode("utf-8")
    headers = request.responseHeaders
    for stale in (b"etag", b"cache-control", b"accept-ranges", b"location"):
        headers.removeHeader(stale)
    headers.setRawHeaders(b"Content-Type", [b"application/json"])
    headers.setRawHeaders(b"Content-Length", [b"%d" % len(body)])
    for name, value in errors[0].headers.items():
        headers.setRawHeaders(name, [value])
    return body


def registry_error(request: RegistryRequest, failure: Failure) -> bytes:
    """Answer an error of the specification."""
    error = failure.value
    assert isinstance(error, RegistryError)
    if isinstance(error, Unsupported):
        request.setHeader(b"Allow", request.allowed)
    if request.startedWriting:
        _log.warn("answer broken off: {error}", error=str(error))
    return error_response(
        request, *(error.errors if isinstance(error, Several) else (error,))
    )


def http_error(request: RegistryRequest, failure: Failure) -> bytes:
    """Answer what the router refuses, as JSON rather than HTML."""
    error = failure.value
    assert isinstance(error, HTTPException)
    if isinstance(error, MethodNotAllowed):
        # OPTIONS is there for browsers, and every route has it.
        methods = set(error.valid_methods or ()) - {"OPTIONS"}
        request.setHeader(b"Allow", ", ".join(sorted(methods)))
        return error_response(request, Unsupported())
    return error_response(
        request, NotFound() if isinstance(error, NoRoute) else BadRequest()
    )


def storage_error(request: RegistryRequest, failure: Failure) -> bytes:
    """Answer that the storage failed; the path goes to the log, not to the client."""
    error = failure.value
    assert isinstance(error, DriverError)
    _log.failure("storage failed: {error}", failure, error=str(error))
    detail = {"reason": f"storage: {error.reason}", "request": request.identity}
    return error_response(request, Unavailable(detail))


def invalid_path(request: RegistryRequest, failure: Failure) -> bytes:
    """Answer that no storage has a place for such a name."""
    return error_response(request, NameInvalid({"reason": "cannot be stored"}))


def client_gone(request: RegistryRequest, failure: Failure) -> bytes:
    """Send nothing: the client has gone, or another request resumed its upload."""
    if request.startedWriting and failure.check(ConsumerStopped):
        request.client_left = True  # a failed write may be the first sign of it
    request.abort()
    return b""


def on_orphan_failure(failure: Failure) -> None:
    """Log a failure that no client can be told about, as its connection is gone.

    Those that the disconnect itself causes, and client errors, are dropped.
    """
    if not failure.check(ConsumerStopped, BodyBroken, CancelledError, RegistryError):
        _log.failure("change failed after its client disconnected", failure)


def any_error(request: RegistryRequest, failure: Failure) -> bytes:
    """Answer something unforeseen with an id that is in the log."""
    _log.failure("unforeseen error", failure)
    return error_response(request, RegistryError({"request": request.identity}))


#: In the order in which they are tried.
HANDLERS: Sequence[Handler] = (
    (RegistryError, registry_error),
    (HTTPException, http_error),
    ((ConsumerStopped, BodyBroken, CancelledError), client_gone),
    (InvalidPath, invalid_path),
    (DriverError, storage_error),
    (Exception, any_error),
)
