"""The HTTP server: limits, draining, files to sockets, and one record per request."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextvars import copy_context
from typing import Any, cast
from urllib.parse import unquote_to_bytes

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import (
    IProducer,
    IPushProducer,
    IReactorTime,
    ITCPTransport,
    ITransport,
)
from twisted.internet.protocol import connectionDone
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource
from twisted.web.server import Request, Site
from zope.interface import implementer

from txregistry.flow.context import request_id
from txregistry.flow.sendfile import FileSender, IFileConsumer, as_file_transport
from txregistry.interfaces.observe import Exchange, IExchangeObserver

#: Multi-range headers of about 1,024 parts and large tokens fit below this.
MAX_HEADER_BYTES = 128 * 1024

#: A body of a refused request is read up to this and dropped; after that the
#: connection is closed.
MAX_DROPPED_BYTES = 1024 * 1024

_NO_BODY = (204, 304)


class _Sink:
    """Stands where twisted.web would spool a body; the API of a cache takes none."""

    def __init__(self, request: RegistryRequest) -> None:
        self._request = request
        self._size = 0

    def write(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > MAX_DROPPED_BYTES:
            self._request.abort()

    def seek(self, offset: int, whence: int = 0) -> None:
        return None

    def tell(self) -> int:
        return 0

    def close(self) -> None:
        return None


@implementer(IFileConsumer)
class RegistryRequest(Request):
    """A request that can be aborted, takes files, and reports its end once.

    :ivar handler: the resource that answers, for metrics; set by the API.
    """

    handler = "unknown"
    identity = ""
    aborted = False
    _home: RegistrySite | None = None
    _began_at = 0.0

    def gotLength(self, length: int | None) -> None:
        """Take no body: this API has no request that needs one."""
        self.content = cast(Any, _Sink(self))

    def process(self) -> None:
        """Begin to answer, in a context of our own."""
        # The channel is gone when an exchange has ended; the site is needed then.
        site = self._home = cast(RegistrySite, self.channel.factory)
        self.identity = uuid.uuid4().hex
        self._began_at = site.clock.seconds()
        site.active.add(self)
        self._make_readable()
        self.path = site.strip_prefix(self.path)
        for name, values in site.headers.items():
            self.responseHeaders.setRawHeaders(name, list(values))
        copy_context().run(self._process)

    def _process(self) -> None:
        request_id.set(self.identity)
        super().process()

    def _make_readable(self) -> None:
        """See to it that the router can read what a client sent.

        It answers bytes that are no UTF-8 in plain text; as a path without a route
        they get the same JSON as any other.
        """
        scheme, found, rest = self.path.partition(b"://")
        if found and scheme in (b"http", b"https"):
            # The absolute form (RFC 9112, 3.2.2) names a host, which says nothing.
            self.path = b"/" + rest.partition(b"/")[2]
        try:
            unquote_to_bytes(self.path).decode("utf-8")
        except UnicodeDecodeError:
            self.path = b"/-"

    def getRequestHostname(self) -> bytes:
        """Give one name to all hosts: no route depends on it."""
        return b"localhost"

    def parseCookies(self) -> None:
        """Look for none: no client of a registry has any."""

    def write(self, data: bytes) -> None:
        """Send bytes, unless the exchange was aborted."""
        if not self.aborted and not self.finished:
            super().write(data)

    def finish(self) -> None:
        """End the answer, unless the exchange was aborted."""
        if self.aborted or self._disconnected:
            return
        if self._home is not None and self._home.draining:
            self.loseAfterwards()
        super().finish()
        self._report()

    def loseAfterwards(self) -> None:
        """Keep the connection no longer than this answer."""
        if not self.startedWriting:
            self.responseHeaders.setRawHeaders(b"Connection", [b"close"])
        if self.channel is not None:
            self.channel.persistent = False

    def abort(self) -> None:
        """Cut the connection, so that no client takes what it got for the whole."""
        if self.aborted or self.channel is None:
            return
        self.aborted = True
        cast(ITCPTransport, self.channel.transport).abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Hear that the client has gone."""
        self.aborted = True
        self._report()
        super().connectionLost(reason)

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Take a producer; one that comes after the client has gone is stopped."""
        if self.channel is None:
            producer.stopProducing()
        else:
            super().registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """Let the producer go, also after the client has gone."""
        if self.channel is not None:
            super().unregisterProducer()

    def takes_files(self) -> bool:
        """Tell whether this answer goes out uncoded on plain TCP."""
        return (
            not self.chunked
            and self.channel is not None
            and not self._disconnected
            and isinstance(self.channel.transport, Connection)
            and not getattr(self.channel.transport, "TLS", False)
        )

    def write_file(self, descriptor: int, offset: int, size: int) -> Deferred[None]:
        """Send part of a file; see :class:`IFileConsumer`."""
        if self.method == b"HEAD" or self.code in _NO_BODY:
            return succeed(None)
        if not self.startedWriting:
            self.write(b"")
        self.sentLength += size
        channel = self.channel
        sender = FileSender(
            as_file_transport(cast(ITransport, channel.transport)),
            cast(IPushProducer, channel),
            descriptor,
            offset,
            size,
        )
        return sender.start()

    def _report(self) -> None:
        site, self._home = self._home, None
        if site is not None:
            site.active.discard(self)
            site.ended(self)

    @property
    def began_at(self) -> float:
        """Say when the head was in, in seconds of the site's clock."""
        return self._began_at

    def header(self, name: str) -> str:
        """Give a request header as text; empty if absent."""
        values = self.requestHeaders.getRawHeaders(name)
        return "" if not values else values[-1]

    @property
    def peer(self) -> str:
        """Give the address at the other end."""
        return str(getattr(self.client, "host", "-"))


class RegistryChannel(HTTPChannel):
    """An HTTP/1.1 connection with our limits."""

    MAX_LENGTH = MAX_HEADER_BYTES
    totalHeadersSize = MAX_HEADER_BYTES
    maxHeaders = 200

    def connectionMade(self) -> None:
        """Let dead peers be noticed, and remember the connection for draining."""
        super().connectionMade()
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpKeepAlive(True)
        site = cast(RegistrySite, self.factory)
        site.channels.add(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Forget the connection."""
        cast(RegistrySite, self.factory).channels.discard(self)
        super().connectionLost(reason)


class RegistrySite(Site):
    """All connections of one listener.

    :param prefix: stripped from the path of every request (``http.prefix``).
    :param headers: set on every response (``http.headers``).
    """

    requestFactory = RegistryRequest
    noisy = False

    def __init__(
        self,
        resource: IResource,
        clock: IReactorTime,
        observer: IExchangeObserver,
        prefix: str = "",
        headers: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        super().__init__(resource, requestFactory=RegistryRequest, reactor=clock)
        self.clock = clock
        self.headers = dict(headers or {})
        self.channels: set[RegistryChannel] = set()
        self.active: set[RegistryRequest] = set()
        self.draining = False
        self._observer = observer
        self._prefix = b"/" + prefix.strip("/").encode("ascii")
        self._idle: list[Deferred[None]] = []

    def buildProtocol(self, addr: Any) -> Any:
        """Make a channel of ours; plain HTTP/1.1 only."""
        channel = RegistryChannel()
        channel.factory = self
        channel.site = self  # type: ignore[attr-defined]
        channel.requestFactory = RegistryRequest
        channel.timeOut = self.timeOut  # type: ignore[assignment]
        channel.callLater = self.clock.callLater  # type: ignore[method-assign, assignment]
        return channel

    def acceptableProtocols(self) -> list[bytes]:
        """Offer HTTP/1.1 only, whatever else is installed."""
        return [b"http/1.1"]

    def startFactory(self) -> None:
        """Open no log file: requests are reported to the observer."""

    def stopFactory(self) -> None:
        """Have no log file to close."""

    def log(self, request: Any) -> None:
        """Write nothing here: see :meth:`ended`."""

    def strip_prefix(self, path: bytes) -> bytes:
        """Take the prefix off; a path that lacks it will match no route."""
        if self._prefix == b"/":
            return path
        if path.startswith(self._prefix + b"/"):
            return path[len(self._prefix) :]
        return b"/-" + path

    def ended(self, request: RegistryRequest) -> None:
        """Report a request and, if the last one of a drain, say so."""
        self._observer.ended(_record(request, self.clock.seconds()))
        if self.draining and not self.active:
            self._fire_idle()

    def drain(self, seconds: float) -> Deferred[None]:
        """Close idle connections now and the others after their answer.

        :param seconds: after this long, whatever is left is aborted.
        :return: fires when no request is being answered; never fails.
        """
        self.draining = True
        busy = {request.channel for request in self.active}
        for channel in list(self.channels):
            if channel not in busy:
                channel.loseConnection()
        if not self.active:
            return succeed(None)
        idle: Deferred[None] = Deferred()
        self._idle.append(idle)
        deadline = self.clock.callLater(seconds, self._abort_all)

        def settle(_: object) -> None:
            if deadline.active():
                deadline.cancel()

        return idle.addBoth(settle)

    def _abort_all(self) -> None:
        for request in list(self.active):
            request.abort()
        self._fire_idle()

    def _fire_idle(self) -> None:
        waiting, self._idle = self._idle, []
        for idle in waiting:
            idle.callback(None)


def _record(request: RegistryRequest, now: float) -> Exchange:
    return Exchange(
        request_id=request.identity,
        handler=request.handler,
        peer=request.peer,
        user="-",
        method=request.method.decode("ascii", "replace"),
        uri=request.uri.decode("ascii", "replace"),
        protocol=request.clientproto.decode("ascii", "replace"),
        status=int(request.code),
        sent_bytes=request.sentLength,
        seconds=max(0.0, now - request.began_at),
        referer=request.header("Referer"),
        user_agent=request.header("User-Agent"),
        cache_status=_first(request, "Cache-Status"),
        aborted=request.aborted,
    )


def _first(request: RegistryRequest, name: str) -> str:
    values = request.responseHeaders.getRawHeaders(name)
    return values[0] if values else ""
