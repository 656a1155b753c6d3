"""The span of a request, with the names of OpenTelemetry's HTTP conventions."""

from __future__ import annotations

import re
from typing import Protocol

from txregistry.interfaces.observe import Exchange
from txregistry.interfaces.tracing import ISpan, ITracer, SpanKind

#: Methods that may be part of a name; others would be made up by clients.
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))

_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


class ITracedRequest(Protocol):
    """What a span says of a request."""

    method: bytes
    request_id: str

    def header(self, name: str) -> str:
        """Return a header; empty if there is none."""

    def isSecure(self) -> bool:
        """Tell whether it came by TLS."""


def begin_span(request: ITracedRequest, tracer: ITracer) -> ISpan:
    """Begin the span of a request, below the one that its client names."""
    traced = {name: request.header(name) for name in ("traceparent", "tracestate")}
    headers = {name: value for name, value in traced.items() if value}
    host, port = _authority(request.header("Host"))
    about: dict[str, str | int] = {
        "http.request.method": _method(request.method.decode("ascii", "replace")),
        "url.scheme": "https" if request.isSecure() else "http",
        "server.address": host,
        "txregistry.request.id": request.request_id,
    }
    if port:
        about["server.port"] = port
    return tracer.begin(
        str(about["http.request.method"]), SpanKind.SERVER, about, headers
    )


def end_span(span: ISpan, exchange: Exchange, route: str) -> None:
    """End the span of a request; it failed if its status says that we did.

    :param route: as the table of routes has it; empty if none matched.
    """
    named = _PARAMETER.sub(r"{\1}", route)
    about: dict[str, str | int] = {
        "url.path": exchange.uri.partition("?")[0],
        "client.address": exchange.peer,
        "http.response.status_code": exchange.status,
        "http.response.body.size": exchange.sent_bytes,
        "network.protocol.version": exchange.protocol.partition("/")[2],
    }
    if named:
        about["http.route"] = named
    if exchange.user_agent:
        about["user_agent.original"] = exchange.user_agent
    if exchange.cache_status:
        about["txregistry.cache_status"] = exchange.cache_status
    span.note(about)
    error = str(exchange.status) if exchange.status >= 500 else ""
    if exchange.aborted and exchange.status < 400:
        error = "aborted"
    span.end(error, f"{_method(exchange.method)} {named}".strip())


def _method(method: str) -> str:
    return method if method in _METHODS else "_OTHER"


def _authority(host: str) -> tuple[str, int]:
    name, colon, port = host.rpartition(":")
    if colon and port.isdigit():
        return name, int(port[:5])
    return host, 0
