"""TLS in larger pieces than Twisted's.

Twisted gives OpenSSL one record of 16 KiB at a time, and the protocol above each record
that was received as a piece of its own.
"""

from __future__ import annotations

from typing import Any

import attrs
from OpenSSL.SSL import Context, Error, WantReadError, ZeroReturnError
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from txregistry.speed.tls_private import OpenTls

#: Bytes that are encrypted at once. What OpenSSL has for them in memory stays as long
#: as the connection.
PIECE_BYTES = 64 * 1024

#: Bytes of one record without its overhead (RFC 8446, 5.1), and its overhead at most.
_RECORD_BYTES, _OVERHEAD_BYTES = 16 * 1024, 256

#: Of SSL_CTX_set_mode(3): a write ends after one record.
_ENABLE_PARTIAL_WRITE = 1

_SENT_BYTES = PIECE_BYTES + PIECE_BYTES // _RECORD_BYTES * _OVERHEAD_BYTES

#: Bytes that are read from a socket at once, at most; likewise.
READ_BYTES = 128 * 1024


def read_at_once(transport: Any, size: int) -> None:
    """Set the bytes per read of a socket, on which there may be TLS.

    :param size: at most; with TLS no more than :data:`READ_BYTES`.
    """
    while isinstance(transport, TLSMemoryBIOProtocol):
        transport, size = transport.transport, min(size, READ_BYTES)
    if transport is not None:
        transport.bufferSize = size


def write_in_pieces(context: Context) -> None:
    """Have all of a piece encrypted by one call, on connections of a context.

    Does nothing if pyOpenSSL has no such setting.
    """
    if hasattr(context, "clear_mode"):
        context.clear_mode(_ENABLE_PARTIAL_WRITE)


class LargePieces(OpenTls):
    """TLS that encrypts and passes on pieces of several records."""

    def encrypt(self, plain: bytes) -> None:
        """Encrypt bytes and send what comes of it."""
        rest = memoryview(plain)
        while rest and not self.is_over:
            try:
                taken = self.openssl.send(rest[:PIECE_BYTES])
            except WantReadError:
                self.hold(bytes(rest))
                return
            except Error:
                self.fail(Failure())
                return
            rest = rest[taken:]
            self.send_encrypted()

    def send_encrypted(self) -> None:
        """Send all that was encrypted."""
        sent = b""
        while len(sent) in (0, _SENT_BYTES):
            try:
                sent = self.openssl.bio_read(_SENT_BYTES)
            except WantReadError:
                return
            self.send(sent)

    def decrypt(self) -> None:
        """Pass on all that can be decrypted now, as one piece."""
        pieces, end = self._decrypted()
        if pieces:
            self.pass_on(b"".join(pieces))
        if end is not None and not self.is_over:
            self.end() if end.check(ZeroReturnError) else self.fail(end)
        self.send_encrypted()

    def _decrypted(self) -> tuple[list[bytes], Failure | None]:
        """Return what can be decrypted, and how the connection has ended if it has."""
        pieces: list[bytes] = []
        while not self.is_over:
            try:
                pieces.append(self.openssl.recv(_RECORD_BYTES))
            except WantReadError:
                break
            except Error:
                return pieces, Failure()
        return pieces, None


class TlsFactory(TLSMemoryBIOFactory):
    """Puts TLS in larger pieces around the protocols of another factory."""

    protocol = LargePieces


@implementer(IStreamClientEndpoint)
@attrs.frozen(eq=False)
class TlsClientEndpoint:
    """Connects with TLS, as :func:`twisted.internet.endpoints.wrapClientTLS` does."""

    _creator: IOpenSSLClientConnectionCreator
    _endpoint: IStreamClientEndpoint

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect; fires with the protocol inside."""
        wrapped = TlsFactory(self._creator, True, protocolFactory)
        connecting: Deferred[Any] = self._endpoint.connect(wrapped)
        return connecting.addCallback(lambda secured: secured.wrappedProtocol)
