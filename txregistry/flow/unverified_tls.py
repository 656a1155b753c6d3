"""TLS to servers that are believed unverified, where a configuration says so."""

from __future__ import annotations

import attrs
from OpenSSL import SSL
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import CertificateOptions, PrivateCertificate
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer


@implementer(IPolicyForHTTPS)
@attrs.define(eq=False)
class UnverifiedTls:
    """Verifies neither chain nor name.

    :param certificate: of the client, with its key; ``None`` for none.
    """

    _certificate: PrivateCertificate | None = None
    _context: SSL.Context = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        ours = self._certificate
        options = CertificateOptions(
            privateKey=None if ours is None else ours.privateKey.original,
            certificate=None if ours is None else ours.original,
            verify=False,
        )
        self._context = options.getContext()

    def creatorForNetloc(
        self, hostname: bytes, port: int
    ) -> IOpenSSLClientConnectionCreator:
        """Return the creator of TLS connections to a host."""
        return _Unverified(hostname, self._context)


@implementer(IOpenSSLClientConnectionCreator)
@attrs.frozen
class _Unverified:
    _hostname: bytes
    _context: SSL.Context

    def clientConnectionForTLS(
        self, tlsProtocol: TLSMemoryBIOProtocol
    ) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
        name = self._hostname.decode("ascii").strip("[]")
        if not isIPAddress(name) and not isIPv6Address(name):  # RFC 6066, 3
            connection.set_tlsext_host_name(self._hostname)
        return connection
