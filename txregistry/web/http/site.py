"""The HTTP server of one listener: its connections, their limits, and draining."""

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
from txregistry.web.http.exchange import record
from txregistry.web.http.http2 import RegistryH2Connection
from txregistry.web.http.protocol_negotiation import ChosenProtocol
from txregistry.web.http.request import RegistryRequest
from txregistry.web.http.twisted_private import connection_of

#: Headers of every answer, unless configured otherwise. Browsers must not render pushed
#: content as a page.
_DEFAULT_HEADERS = {"x-content-type-options": ("nosniff",)}


class RegistrySite(Site):
    """The factory of one listener's connections.

    :param observer: gets the record of each request when it ends.
    :param prefix: stripped from the path of every request (``http.prefix``).
    :param headers: set on every answer (``http.headers``); one without values removes a
        default header.
    :param http2: offer HTTP/2 on TLS, by ALPN.
    :param cleartext_http2: accept HTTP/2 without TLS, by prior knowledge.
    :param wall_clock: for ``Date``; defaults to ``clock``.
    :param proxies: whose ``Forwarded`` and ``X-Forwarded-*`` headers are believed
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
        self.wall_clock = wall_clock or clock
        named = {name.lower(): values for name, values in (headers or {}).items()}
        self.headers = {**_DEFAULT_HEADERS, **named}
        self.proxies = proxies or TrustedProxies.parse(DEFAULT_NETWORKS)
        self.limits = limits or ChannelLimits()
        self.channels: set[Any] = set()
        self.active: set[RegistryRequest] = set()
        self.draining = False
        self._observer = observer
        self._prefix = b"/" + prefix.strip("/").encode("ascii")
        self._http2 = http2
        self._cleartext_http2 = cleartext_http2
        self._drain_waiters: list[Deferred[None]] = []

    def buildProtocol(self, addr: Any) -> Any:
        """Return a protocol; ``None`` closes a connection beyond the limit."""
        if len(self.channels) >= self.limits.connections:
            return None
        if self._http2 or self._cleartext_http2:
            return ChosenProtocol(self, addr, self._cleartext_http2)
        return self.build_channel(addr, False)

    def build_channel(self, address: Any, speaks_http2: bool) -> Any:
        """Return the protocol of an HTTP/1.1 or an HTTP/2 connection."""
        channel: Any = RegistryChannel()
        if speaks_http2:
            channel = RegistryH2Connection(self.clock)
        channel.factory = channel.site = self
        channel.requestFactory = RegistryRequest
        channel.callLater = self.clock.callLater
        channel.timeOut = self.limits.idle_seconds
        return channel

    def acceptableProtocols(self) -> list[bytes]:
        """Return the ALPN protocols to offer, best first."""
        return [b"h2", b"http/1.1"] if self._http2 else [b"http/1.1"]

    def startFactory(self) -> None:
        """Open no log file: :meth:`request_ended` reports requests."""

    def stopFactory(self) -> None:
        """Close no log file."""

    def log(self, request: Any) -> None:
        """Log nothing: :meth:`request_ended` reports requests."""

    def strip_prefix(self, path: bytes) -> bytes:
        """Strip the prefix; a path without it becomes one that no route matches."""
        if self._prefix == b"/":
            return path
        if path.startswith(self._prefix + b"/"):
            return path[len(self._prefix) :]
        return b"/-" + path

    def request_ended(self, request: RegistryRequest) -> None:
        """Report a request to the observer; the last one of a drain ends the drain."""
        if self.draining and not self.active:
            self._finish_drains()
        self._observer.ended(record(request, self.clock.seconds()))

    def drain(self, seconds: float) -> Deferred[None]:
        """Close idle connections now, and the others after their current answer.

        :param seconds: after this long, remaining requests are aborted.
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
        self._drain_waiters.append(idle)
        deadline = self.clock.callLater(seconds, self._abort_all)

        def settle(_: object) -> None:
            if deadline.active():
                deadline.cancel()

        return idle.addBoth(settle)

    def _abort_all(self) -> None:
        for request in list(self.active):
            request.abort()
        self._finish_drains()

    def _finish_drains(self) -> None:
        waiting, self._drain_waiters = self._drain_waiters, []
        for idle in waiting:
            idle.callback(None)
