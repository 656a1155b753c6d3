"""What is private to Twisted's TLS, under names of ours; apart, as it needs OpenSSL."""

from __future__ import annotations

from typing import cast

from OpenSSL.SSL import Connection
from twisted.internet.interfaces import ITransport
from twisted.protocols.policies import ProtocolWrapper
from twisted.protocols.tls import BufferingTLSTransport
from twisted.python.failure import Failure

from txregistry.private_names import require_names

require_names(BufferingTLSTransport, "_write", "_flushReceiveBIO", "_bufferedWrite")
require_names(BufferingTLSTransport, "_lostTLSConnection", "_aborted")
require_names(BufferingTLSTransport, "_tlsShutdownFinished", "_flushSendBIO")
require_names(BufferingTLSTransport, "_shutdownTLS")


class OpenTls(BufferingTLSTransport):
    """TLS between a transport and a protocol, whose steps can be overridden."""

    @property
    def openssl(self) -> Connection:
        """Return OpenSSL's side of it."""
        return self._tlsConnection

    @property
    def is_over(self) -> bool:
        """Tell whether nothing can be sent or received any more."""
        return bool(self._lostTLSConnection)

    def encrypt(self, plain: bytes) -> None:
        """Encrypt bytes and send what comes of it."""
        super()._write(plain)

    def _write(self, bytes: bytes) -> None:  # noqa: A002  # as Twisted calls it
        self.encrypt(bytes)

    def decrypt(self) -> None:
        """Pass on all that can be decrypted now, and send what comes of it."""
        super()._flushReceiveBIO()

    def _flushReceiveBIO(self) -> None:
        self.decrypt()

    def send_encrypted(self) -> None:
        """Send what was encrypted."""
        super()._flushSendBIO()

    def _flushSendBIO(self) -> None:
        self.send_encrypted()

    def send(self, encrypted: bytes) -> None:
        """Send encrypted bytes."""
        cast(ITransport, self.transport).write(encrypted)

    def hold(self, plain: bytes) -> None:
        """Send bytes when OpenSSL takes them."""
        self._bufferedWrite(plain)

    def pass_on(self, plain: bytes) -> None:
        """Give decrypted bytes to the protocol, unless the connection was aborted."""
        if not self._aborted:
            ProtocolWrapper.dataReceived(self, plain)

    def end(self) -> None:
        """End it, as the peer has: it will send nothing more."""
        self._shutdownTLS()
        self._tlsShutdownFinished(None)

    def fail(self, failure: Failure) -> None:
        """End it because of an error of OpenSSL."""
        self._tlsShutdownFinished(failure)
