"""TLS on our own listener."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    KeyPair,
    TLSVersion,
    trustRootFromCertificates,
)
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from txregistry.config.model import Tls

_END = b"-----END CERTIFICATE-----"


@implementer(IStreamServerEndpoint)
@attrs.define(eq=False)
class TlsEndpoint:
    """Listens with TLS around whatever the factory speaks."""

    _endpoint: IStreamServerEndpoint
    _options: CertificateOptions

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen; fires with the port."""
        wrapped = TLSMemoryBIOFactory(self._options, False, protocolFactory)
        done: Deferred[IListeningPort] = self._endpoint.listen(wrapped)
        return done


def wrap_endpoint(endpoint: IStreamServerEndpoint, tls: Tls) -> IStreamServerEndpoint:
    """Put TLS around an endpoint.

    :raise OSError: a file cannot be read.
    :raise ValueError: a file holds no usable PEM.
    """
    return TlsEndpoint(endpoint, make_options(tls))


def make_options(tls: Tls) -> CertificateOptions:
    """Read certificate, chain, key and client authorities, TLS 1.2 and newer."""
    chain = [Certificate.loadPEM(part) for part in _split(_read(tls.certificate))]
    if not chain:
        raise ValueError(f"no certificate in {tls.certificate}")
    options: dict[str, Any] = {}
    if tls.clientcas:
        authorities = [
            Certificate.loadPEM(part)
            for path in tls.clientcas
            for part in _split(_read(path))
        ]
        options["trustRoot"] = trustRootFromCertificates(authorities)
    return CertificateOptions(
        privateKey=KeyPair.load(_read(tls.key), 1).original,
        certificate=chain[0].original,
        extraCertChain=[link.original for link in chain[1:]],
        raiseMinimumTo=TLSVersion.TLSv1_2,
        **options,
    )


def _split(pem: bytes) -> list[bytes]:
    return [part + _END for part in pem.split(_END)[:-1]]


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
