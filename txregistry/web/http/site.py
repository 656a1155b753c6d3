"""The HTTP server: all connections of one listener, and how they drain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import IResource
from twisted.web.server import Site

from txregistry.interfaces.observe import IExchangeObserver
from txregistry.spec.proxies import DEFAULT_NETWORKS, TrustedProxies
from txregistry.web.http.channels import (
    ChannelLimits,
    RegistryChannel,
)
from txregistry.web.http.dates import DateLine
from txregistry.web.http.exchange import record
from txregistry.web.http.http2 import RegistryH2Connection
from txregistry.web.http.protocol_negotiation import ChosenProtocol
from txregistry.web.http.request import RegistryRequest
from txregistry.web.http.twisted_private import connection_of

#: On every answer unless the configuration says otherwise: what anybody may have pushed
#: is for no browser to take for a page.
_USUAL_HEADERS = {"x-content-type-options": ("nosniff",)}


class RegistrySite(Site):
    """All connections of one listener.

    :param prefix: stripped from the path of every request (``http.prefix``).
    :param headers: set on every response (``http.headers``); one without a value
        takes away what is set there by us.
    :param http2: offered on TLS.
    :param cleartext_http2: understood without TLS.
    :param wall_clock: shows the time of day; ``clock`` does if not given.
    :param proxies: who is believed that says how we were asked, and for whom
        (``http.trustedproxies``).
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
        limits: ChannelLimits | None = None,
        http2: bool = False,
        cleartext_http2: bool = False,
        wall_clock: IReactorTime | None = None,
        proxies: TrustedProxies | None = None,
    ) -> None:
        super().__init__(resource, requestFactory=RegistryRequest, reactor=clock)
        self.clock = clock
        self.date = DateLine(wall_clock or clock)
        named = {name.lower(): values for name, values in (headers or {}).items()}
        self.headers = {**_USUAL_HEADERS, **named}
        self.proxies = proxies or TrustedProxies.parse(DEFAULT_NETWORKS)
        self.limits = limits or ChannelLimits()
        self.channels: set[Any] = set()
        self.active: set[RegistryRequest] = set()
        self.draining = False
        self._observer = observer
        self._prefix = b"/" + prefix.strip("/").encode("ascii")
        self._http2 = http2
        self._cleartext_http2 = cleartext_http2
        self._idle: list[Deferred[None]] = []

    def buildProtocol(self, addr: Any) -> Any:
        """Make a connection of ours; one too many is closed at once."""
        if len(self.channels) >= self.limits.connections:
            return None
        if self._http2 or self._cleartext_http2:
            return ChosenProtocol(self, addr, self._cleartext_http2)
        return self.build(addr, False)

    def build(self, address: Any, speaks_http2: bool) -> Any:
        """Make a connection that speaks one of the two."""
        channel: Any = RegistryChannel()
        if speaks_http2:
            channel = RegistryH2Connection(self.clock)
            channel.callLater = self.clock.callLater
        channel.factory = channel.site = self
        channel.requestFactory = RegistryRequest
        channel.timeOut = self.limits.idle_seconds
        return channel

    def acceptableProtocols(self) -> list[bytes]:
        """Say what is offered on TLS, best first."""
        return [b"h2", b"http/1.1"] if self._http2 else [b"http/1.1"]

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
        if self.draining and not self.active:
            self._fire_idle()
        self._observer.ended(record(request, self.clock.seconds()))

    def drain(self, seconds: float) -> Deferred[None]:
        """Close idle connections now and the others after their answer.

        :param seconds: after this long, whatever is left is aborted.
        :return: fires when no request is being answered; never fails.
        """
        self.draining = True
        busy = {connection_of(request.channel) for request in self.active}
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
