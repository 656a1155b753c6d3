"""Spans around what others do: requests to the upstream, and work of a driver."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from txregistry.flow.wrapper import Wrapper
from txregistry.interfaces.driver import IStorageDriver, PathNotFound
from txregistry.interfaces.tracing import ISpan, ITracer, SpanKind

T = TypeVar("T")


def ending(done: Deferred[T], span: ISpan) -> Deferred[T]:
    """End a span when a Deferred fires; it failed as the Deferred does."""

    def end(result: T | Failure) -> T | Failure:
        span.end(_error(result))
        return result

    return done.addBoth(end)


def _error(result: object) -> str:
    """Give the kind of a failure; what does not exist is an answer."""
    if not isinstance(result, Failure) or result.check(PathNotFound):
        return ""
    if result.check(CancelledError):
        return "cancelled"
    return result.type.__name__ if result.type else "error"


@implementer(IAgent)
@attrs.define(eq=False)
class TracedAgent:
    """A span for each request, whose id the upstream gets; ends with its head."""

    _agent: IAgent
    _tracer: ITracer

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        """Send a request with the headers of its span."""
        verb = method.decode("ascii")
        span = self._tracer.begin(verb, SpanKind.CLIENT, _about(verb, uri))
        own = Headers() if headers is None else headers.copy()
        for name, value in span.headers().items():
            own.setRawHeaders(name, [value])
        done = self._agent.request(method, uri, own, bodyProducer)

        return done.addBoth(_answered, span)


def _answered(result: IResponse | Failure, span: ISpan) -> IResponse | Failure:
    error = _error(result)
    if not isinstance(result, Failure):
        span.note({"http.response.status_code": result.code})
        error = str(result.code) if result.code >= 400 else ""  # as clients say it
    span.end(error)
    return result


def _about(verb: str, uri: bytes) -> Mapping[str, str | int]:
    """Describe a request; the query may hold a signature, and is left out."""
    parts = urlsplit(uri.decode("ascii"))
    return {
        "http.request.method": verb,
        "url.full": f"{parts.scheme}://{parts.hostname}{parts.path}",
        "server.address": parts.hostname or "",
        "server.port": parts.port or (443 if parts.scheme == "https" else 80),
    }


#: Work of a driver that has a span: what opens, and what makes durable.
_TRACED = {
    "reader": "open",
    "writer": "create",
    "apply": "commit",
    "move": "move",
}


def trace_driver(driver: IStorageDriver, tracer: ITracer) -> IStorageDriver:
    """Put spans around a driver's opening and committing, not around each read."""
    traced = Wrapper(driver)
    for method, what in _TRACED.items():
        setattr(traced, method, _traced(getattr(driver, method), what, tracer))
    return traced  # type: ignore[return-value]


def _traced(method: Any, what: str, tracer: ITracer) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        path = kwargs.get("path") or kwargs.get("destination") or ""
        # Who knows the id of an upload could write to it.
        about = {"txregistry.path": path} if path and "/_uploads/" not in path else {}
        span = tracer.begin(f"storage {what}", SpanKind.INTERNAL, about)
        return ending(method(*args, **kwargs), span)

    return call
