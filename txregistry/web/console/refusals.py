"""What a visitor is told when something fails: JSON for the API, a page for others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape

from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.python.failure import Failure
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from txregistry.interfaces.commands import CommandRefused
from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.expiry import LedgerAway
from txregistry.spec.errors import (
    BadRequest,
    NotFound,
    RegistryError,
    Unavailable,
    Unsupported,
    envelope,
)
from txregistry.web.http.body import BodyBroken
from txregistry.web.http.request import RegistryRequest
from txregistry.web.router import Handler

_log = Logger(namespace="txregistry.web.console")

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title} - txregistry</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><link rel="stylesheet" href="/static/console.css"></head>
<body><main id="content"><h1>{title}</h1><p>{text}</p>
<p><a href="/">Overview</a></p></main></body></html>
"""


def _answer(request: RegistryRequest, error: RegistryError) -> bytes:
    """Set status and headers for an error, and return the body."""
    if request.startedWriting:
        request.abort()
        return b""
    request.setResponseCode(error.status)
    for name, value in error.headers.items():
        request.responseHeaders.setRawHeaders(name, [value])
    is_api = request.path.startswith(b"/api/")
    kind = "application/json" if is_api else "text/html; charset=utf-8"
    body = json.dumps(envelope(error)) if is_api else _page(error)
    content = body.encode("utf-8")
    request.setHeader(b"Content-Type", kind)
    request.setHeader(b"Cache-Control", b"no-store")
    request.setHeader(b"Content-Length", b"%d" % len(content))
    return content


def _page(error: RegistryError) -> str:
    text = error.message + (f": {_text(error.detail)}" if error.detail else "")
    return _PAGE.format(title=escape(error.code), text=escape(text))


def _text(detail: object) -> str:
    if isinstance(detail, dict):
        return ", ".join(f"{name}: {value}" for name, value in detail.items())
    return str(detail)


def _known(request: RegistryRequest, failure: Failure) -> bytes:
    assert isinstance(failure.value, RegistryError)
    return _answer(request, failure.value)


def _refused(request: RegistryRequest, failure: Failure) -> bytes:
    return _answer(request, BadRequest({"reason": str(failure.value)}))


def _no_route(request: RegistryRequest, failure: Failure) -> bytes:
    is_method = isinstance(failure.value, MethodNotAllowed)
    return _answer(request, Unsupported() if is_method else NotFound())


def _storage(request: RegistryRequest, failure: Failure) -> bytes:
    assert isinstance(failure.value, DriverError)
    return _answer(request, Unavailable({"reason": failure.value.reason}))


def _ledger(request: RegistryRequest, failure: Failure) -> bytes:
    return _answer(request, Unavailable({"reason": f"the ledger: {failure.value}"}))


def _gone(request: RegistryRequest, failure: Failure) -> bytes:
    return b""


def _other(request: RegistryRequest, failure: Failure) -> bytes:
    _log.failure("a request of the admin listener failed", failure)
    return _answer(request, RegistryError({"request": request.request_id}))


HANDLERS: Sequence[Handler] = (
    (RegistryError, _known),
    (CommandRefused, _refused),
    (HTTPException, _no_route),
    (DriverError, _storage),
    (LedgerAway, _ledger),
    ((CancelledError, BodyBroken), _gone),
    (Exception, _other),
)
