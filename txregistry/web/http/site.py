"""The HTTP server of one listener: its connections, their limits, and draining."""

from __future__ import annotations

import os
from typing import Any

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.web.server import Site

from txregistry.interfaces.observe import Exchange
from txregistry.interfaces.tracing import ITracer
from txregistry.web.http.channels import RegistryChannel
from txregistry.web.http.exchange import record
from txregistry.web.http.http2 import RegistryH2Connection
from txregistry.web.http.protocol_negotiation import ChosenProtocol
from txregistry.web.http.ready import (
    PLAIN_HEADERS,
    ReadyAnswer,
    ReadyAnswers,
    Recording,
)
from txregistry.web.http.request import RegistryRequest
from txregistry.web.http.serving import Http2Use, Serving, offered_protocols
from txregistry.web.http.tracing import end_span
from txregistry.web.http.twisted_private import connection_of


class RegistrySite(Site):
    """The factory of one listener's connections.

    :ivar tracer: traces its requests; ``None`` while tracing is off.
    :param wall_clock: for ``Date``; defaults to ``clock``.
    """

    requestFactory = RegistryRequest
    noisy = False
    tracer: ITracer | None = None
    ready: ReadyAnswers | None = None

    def __init__(
        self,
        serving: Serving,
        clock: IReactorTime,
        wall_clock: IReactorTime | None = None,
    ) -> None:
        super().__init__(
            serving.resource, requestFactory=RegistryRequest, reactor=clock
        )
        self.clock = clock
        self.wall_clock = wall_clock or clock
        self.channels: set[Any] = set()
        self.active: set[RegistryRequest] = set()
        self.draining = False
        self._drain_waiters: list[Deferred[None]] = []
        self.serve(serving)

    def serve(self, serving: Serving) -> None:
        """Set how new connections and requests are served.

        Current requests are not affected. Open connections keep what is set when they
        are made, such as their protocol and idle timeout.
        """
        self._serving = serving
        self.resource, self.headers = serving.resource, serving.headers
        self.limits, self.proxies = serving.limits, serving.proxies
        self.ready = None
        if serving.changes is not None:
            # What was begun before is not kept: it may have been decided otherwise.
            serving.changes.note()
        if serving.changes is not None and not self.draining:
            self.ready = ReadyAnswers(serving.changes, self.wall_clock)

    def follow(self, serving: Serving | None) -> None:
        """Take what a reload has changed.

        :param serving: of the registry; ``None`` if it is the same.
        """
        if serving is not None:
            self.serve(serving)

    def buildProtocol(self, addr: Any) -> Any:
        """Return a protocol; ``None`` closes a connection beyond the limit."""
        if len(self.channels) >= self.limits.connections:
            return None
        serving = self._serving
        if serving.http2 is not Http2Use.NEVER or serving.cleartext_http2:
            return ChosenProtocol(self, addr, serving.cleartext_http2)
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
        return list(offered_protocols(self._serving.http2))

    def startFactory(self) -> None:
        """Open no log file: :meth:`request_ended` reports requests."""

    def stopFactory(self) -> None:
        """Close no log file."""

    def log(self, request: Any) -> None:
        """Log nothing: :meth:`request_ended` reports requests."""

    def strip_prefix(self, path: bytes) -> bytes:
        """Strip the prefix; a path without it becomes one that no route matches."""
        prefix = self._serving.prefix
        if prefix == b"/":
            return path
        if path.startswith(prefix + b"/"):
            return path[len(prefix) :]
        return b"/-" + path

    def request_ended(self, request: RegistryRequest) -> None:
        """Report a request to the observer; the last one of a drain ends the drain."""
        if self.draining and not self.active:
            self._finish_drains()
        exchange = record(request, self.clock.seconds())
        if request.span is not None:
            end_span(request.span, exchange, request.route)
        elif request.recording is not None:
            self._keep(request, request.recording, exchange)
        self._serving.observer.ended(exchange)

    def _keep(
        self, request: RegistryRequest, recording: Recording, exchange: Exchange
    ) -> None:
        """Keep a whole answer that says the same on every connection."""
        names = {name.lower() for name, _ in request.requestHeaders.getAllRawHeaders()}
        closes = request.responseHeaders.hasHeader(b"Connection")
        persists = request.clientproto == b"HTTP/1.1" and not closes
        is_whole = request.finished and not request.aborted
        if self.ready is not None and is_whole and persists and names <= PLAIN_HEADERS:
            self.ready.keep(recording, exchange)

    def answered_again(self, answer: ReadyAnswer, peer: str) -> None:
        """Count and report a request that got a ready answer."""
        for count in answer.counted:
            count()
        self._serving.observer.ended(
            attrs.evolve(
                answer.exchange,
                request_id=os.urandom(16).hex(),
                peer=peer,
                seconds=0.0,
                wait_seconds=0.0,
            )
        )

    def drain(self, seconds: float) -> Deferred[None]:
        """Close idle connections now, and the others after their current answer.

        :param seconds: after this long, remaining requests are aborted.
        :return: fires when no request is being answered; never fails.
        """
        self.draining, self.ready = True, None
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
