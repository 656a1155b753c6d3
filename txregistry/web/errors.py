"""Error handlers: exceptions become OCI error JSON, or abort an answer in progress."""

from __future__ import annotations

import json
from collections.abc import Sequence

from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.python.failure import Failure
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.exceptions import NotFound as NoRoute

from txregistry.flow.streams import ConsumerStopped
from txregistry.interfaces.driver import DriverError, FileBusy, InvalidPath
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
from txregistry.web.http.exchange import masked
from txregistry.web.http.request import RegistryRequest, set_version_header
from txregistry.web.router import Handler

_log = Logger(namespace="txregistry.web")

#: Seconds after which a file may be free that another process writes to.
_BUSY_SECONDS = 1.0


def error_response(request: RegistryRequest, *errors: RegistryError) -> bytes:
    """Set status and headers for some errors, and return the JSON body.

    The status is that of the first error. If part of the answer was sent already, the
    connection is aborted and the body is empty, so that an error cannot pass for
    content.
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
    """Answer an error of the OCI specification."""
    error = failure.value
    assert isinstance(error, RegistryError)
    if isinstance(error, Unsupported):
        request.setHeader(b"Allow", request.allowed)
    if request.startedWriting:
        _log.warn(
            "answer to {line} aborted: {error}", line=_line(request), error=str(error)
        )
    return error_response(
        request, *(error.errors if isinstance(error, Several) else (error,))
    )


def http_error(request: RegistryRequest, failure: Failure) -> bytes:
    """Answer a path or method that has no route, as JSON instead of werkzeug's HTML."""
    error = failure.value
    assert isinstance(error, HTTPException)
    if isinstance(error, MethodNotAllowed):
        # Every route answers OPTIONS, for browsers; it is no method of the API.
        methods = set(error.valid_methods or ()) - {"OPTIONS"}
        request.setHeader(b"Allow", ", ".join(sorted(methods)))
        return error_response(request, Unsupported())
    return error_response(
        request, NotFound() if isinstance(error, NoRoute) else BadRequest()
    )


def storage_error(request: RegistryRequest, failure: Failure) -> bytes:
    """Answer 503 for a storage failure; the path is logged, but not sent."""
    error = failure.value
    assert isinstance(error, DriverError)
    detail = {"reason": f"storage: {error.reason}", "request": request.request_id}
    if isinstance(error, FileBusy):
        # A client that came back; its first connection ends soon.
        return error_response(request, Unavailable(detail, _BUSY_SECONDS))
    _log.failure(
        "storage failed: {error}; the request fails: {line}",
        failure,
        error=str(error),
        line=_line(request),
    )
    return error_response(request, Unavailable(detail))


def invalid_path(request: RegistryRequest, failure: Failure) -> bytes:
    """Answer that the storage has no valid path for this name."""
    return error_response(
        request, NameInvalid({"reason": "the storage has no valid path for it"})
    )


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
    """Answer 500 for an unexpected exception, with the id of the request in the log."""
    _log.failure(
        "unexpected error; the request fails: {line}", failure, line=_line(request)
    )
    return error_response(request, RegistryError({"request": request.request_id}))


def _line(request: RegistryRequest) -> str:
    """Return method and URI for a log, without the secrets of uploads."""
    method = request.method.decode("ascii", "replace")
    line = f"{method} {masked(request.uri.decode('ascii', 'replace'))}"
    return line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]}…"


#: Characters of a request in an event; the access log has all of them.
MAX_LINE = 1000

#: The first whose types match handles an exception.
HANDLERS: Sequence[Handler] = (
    (RegistryError, registry_error),
    (HTTPException, http_error),
    ((ConsumerStopped, BodyBroken, CancelledError), client_gone),
    (InvalidPath, invalid_path),
    (DriverError, storage_error),
    (Exception, any_error),
)
