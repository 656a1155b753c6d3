"""The choice between HTTP/1.1 and HTTP/2, by ALPN or by the first bytes."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.interfaces import IAddress, IPushProducer, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import TimeoutMixin
from twisted.python.failure import Failure

from txregistry.web.http.twisted_private import OpenH2Connection

#: The client's connection preface of HTTP/2 (RFC 9113, 3.4).
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class ChosenProtocol(Protocol, TimeoutMixin):
    """Waits for the first bytes of a connection, then hands it to HTTP/1.1 or HTTP/2.

    :param cleartext: tell HTTP/2 by its preface, not by ALPN: for plain connections.
    """

    def __init__(self, site: Any, address: IAddress | None, cleartext: bool) -> None:
        self._site = site
        self._address = address
        self._cleartext = cleartext
        self._chosen: Any = None
        self._received = b""
        self.callLater = site.clock.callLater  # type: ignore[method-assign]

    def connectionMade(self) -> None:
        """Register with the site, and start the idle timeout."""
        self._site.channels.add(self)
        self.setTimeout(self._site.limits.idle_seconds)

    def timeoutConnection(self) -> None:
        """Abort a connection on which the protocol is still undecided."""
        cast(ITCPTransport, self.transport).abortConnection()

    def loseConnection(self) -> None:
        """Close the connection."""
        cast(ITCPTransport, self.transport).loseConnection()

    def dataReceived(self, data: bytes) -> None:
        """Choose the protocol once it is known, and pass bytes to it."""
        if self._chosen is None:
            is_first = not self._received
            self._received += data
            if self._is_undecided():
                if is_first:
                    self._shorten_timeout()
                return
            data, self._received = self._received, b""
            self._unregister()
            self._chosen = self._site.build_channel(
                self._address, self._speaks_h2(data)
            )
            self._chosen.makeConnection(self.transport)
            if isinstance(self._chosen, OpenH2Connection):
                self._register_producer(self._chosen)
        self._chosen.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Pass the end to the chosen protocol."""
        self._unregister()
        if self._chosen is not None:
            self._chosen.connectionLost(reason)

    def _shorten_timeout(self) -> None:
        """Give the rest of a preface the time that a head has."""
        limits = self._site.limits
        self.setTimeout(min(limits.idle_seconds, limits.header_seconds))

    def _unregister(self) -> None:
        self.setTimeout(None)
        self._site.channels.discard(self)

    def _register_producer(self, chosen: Any) -> None:
        if IPushProducer.providedBy(self.transport):
            self.transport.registerProducer(chosen, True)

    def _is_undecided(self) -> bool:
        return (
            self._cleartext
            and len(self._received) < len(_PREFACE)
            and _PREFACE.startswith(self._received)
        )

    def _speaks_h2(self, data: bytes) -> bool:
        if self._cleartext:
            return data.startswith(_PREFACE)
        return getattr(self.transport, "negotiatedProtocol", None) == b"h2"
