"""What connections of HTTP/1.1 and HTTP/2 share: limits, and their site."""

from __future__ import annotations

from collections.abc import Mapping
from socket import AF_INET, AF_INET6, IPPROTO_TCP, TCP_USER_TIMEOUT
from typing import Any, Protocol, cast

import attrs
from twisted.internet.interfaces import (
    IPushProducer,
    IReactorTime,
    ISSLTransport,
    ITCPTransport,
)
from twisted.internet.tcp import Connection

from txregistry.interfaces.tracing import ITracer
from txregistry.spec.proxies import TrustedProxies
from txregistry.web.http.ready import ReadyAnswer, ReadyAnswers
from txregistry.web.http.twisted_private import H2Stream

#: Maximum of ``TCP_USER_TIMEOUT``, in milliseconds.
_MAX_MILLISECONDS = 2**31 - 1


@attrs.frozen
class ChannelLimits:
    """Limits of a listener's connections (``http.limits``).

    :ivar header_bytes: of all headers of a request. The default has room for a
        ``Range`` of about 1,024 parts, and for large tokens.
    :ivar header_seconds: from the first byte of a head to its last.
    :ivar idle_seconds: without a byte from a client that is expected to send.
    :ivar stall_seconds: without a client reading any byte that is sent to it; 0 leaves
        this to the kernel.
    :ivar connections: of the listener, at once.
    :ivar streams: of one HTTP/2 connection, at once; further ones are refused, and can
        be retried.
    :ivar min_rate: bytes per second. A body has to arrive at this rate, over a minute
        in which it is being read; the client of an HTTP/2 stream has to open its window
        at this rate, over ``stall_seconds`` with a closed window. 0 for no minimum.
    """

    header_bytes: int = 128 * 1024
    header_seconds: float = 30.0
    idle_seconds: float = 60.0
    stall_seconds: float = 300.0
    connections: int = 10_000
    streams: int = 32
    min_rate: float = 100.0


class SiteContext(Protocol):
    """The part of :class:`~txregistry.web.http.site.RegistrySite` used by connections.

    :ivar active: requests that are being answered.
    :ivar channels: open connections.
    :ivar tracer: traces requests; ``None`` while tracing is off.
    :ivar ready: answers that may be given again; ``None`` if there are none.
    :ivar draining: the listener is about to stop: close connections after an answer.
    """

    clock: IReactorTime
    limits: ChannelLimits
    headers: Mapping[str, tuple[str, ...]]
    active: set[Any]
    resource: Any
    channels: set[Any]
    draining: bool
    tracer: ITracer | None
    wall_clock: IReactorTime
    proxies: TrustedProxies
    ready: ReadyAnswers | None

    def strip_prefix(self, path: bytes) -> bytes:
        """Strip the configured prefix from a path."""

    def request_ended(self, request: Any) -> None:
        """Report a request that has ended to the observer."""

    def answered_again(self, answer: ReadyAnswer, peer: str) -> None:
        """Report a request that got a ready answer to the observer."""


def set_socket_timeouts(transport: Any, limits: ChannelLimits) -> None:
    """Have the kernel close the connection of a peer that is dead or reads nothing.

    A client that reads nothing would otherwise hold what was read for it for ever. Only
    the kernel knows how much was acknowledged, also of files sent by ``sendfile``.
    """
    if not ITCPTransport.providedBy(transport):
        return
    transport.setTcpKeepAlive(True)
    is_tls = ISSLTransport.providedBy(transport)
    below = cast(Any, transport).transport if is_tls else transport
    # Twisted's Unix sockets provide ITCPTransport as well.
    if isinstance(below, Connection):
        socket = below.getHandle()
        if socket.family in (AF_INET, AF_INET6):
            milliseconds = min(int(limits.stall_seconds * 1000), _MAX_MILLISECONDS)
            socket.setsockopt(IPPROTO_TCP, TCP_USER_TIMEOUT, milliseconds)


def body_producer(channel: Any) -> IPushProducer:
    """Return the producer to pause in order to stop reading a body."""
    if isinstance(channel, H2Stream):
        return cast(IPushProducer, channel)
    steps: IPushProducer = channel.steps
    return steps


def expects_continue(request: Any) -> bool:
    """Tell whether a client waits for 100 Continue before it sends its body."""
    expected = request.requestHeaders.getRawHeaders(b"Expect", [b""])[0]
    return bool(
        expected.lower() == b"100-continue"
        and request.clientproto != b"HTTP/1.0"
        and not request.body.received
        and not request.body.complete
    )
