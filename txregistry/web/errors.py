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


def answer(request: RegistryRequest, *errors: RegistryError) -> bytes:
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
    return answer(request, *(error.errors if isinstance(error, Several) else (error,)))


def http_error(request: RegistryRequest, failure: Failure) -> bytes:
    """Answer what the router refuses, as JSON rather than HTML."""
    error = failure.value
    assert isinstance(error, HTTPException)
    if isinstance(error, MethodNotAllowed):
        # OPTIONS is there for browsers, and every route has it.
        methods = set(error.valid_methods or ()) - {"OPTIONS"}
        request.setHeader(b"Allow", ", ".join(sorted(methods)))
        return answer(request, Unsupported())
    return answer(request, NotFound() if isinstance(error, NoRoute) else BadRequest())


def storage_error(request: RegistryRequest, failure: Failure) -> bytes:
    """Answer that the storage failed; the path goes to the log, not to the client."""
    error = failure.value
    assert isinstance(error, DriverError)
    _log.failure("storage failed: {error}", failure, error=str(error))
    told = {"reason": f"storage: {error.reason}", "request": request.identity}
    return answer(request, Unavailable(told))


def unstorable(request: RegistryRequest, failure: Failure) -> bytes:
    """Answer that no storage has a place for such a name."""
    return answer(request, NameInvalid({"reason": "cannot be stored"}))


def gone(request: RegistryRequest, failure: Failure) -> bytes:
    """Say nothing: the client has gone, or its upload is gone on with elsewhere."""
    if request.startedWriting and failure.check(ConsumerStopped):
        request.client_left = True  # whoever sends may be the first to see it
    request.abort()
    return b""


def on_orphan_failure(failure: Failure) -> None:
    """Log what went wrong after a client had gone, unless it is about its going."""
    if not failure.check(ConsumerStopped, BodyBroken, CancelledError, RegistryError):
        _log.failure("a change whose client has gone failed", failure)


def any_error(request: RegistryRequest, failure: Failure) -> bytes:
    """Answer something unforeseen with an id that is in the log."""
    _log.failure("unforeseen error", failure)
    return answer(request, RegistryError({"request": request.identity}))


#: In the order in which they are tried.
HANDLERS: Sequence[Handler] = (
    (RegistryError, registry_error),
    (HTTPException, http_error),
    ((ConsumerStopped, BodyBroken, CancelledError), gone),
    (InvalidPath, unstorable),
    (DriverError, storage_error),
    (Exception, any_error),
)
