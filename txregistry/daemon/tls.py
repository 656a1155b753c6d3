"""TLS on our own listener; its files are reloaded when they change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from OpenSSL import SSL, crypto
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IListeningPort,
    IOpenSSLServerConnectionCreator,
    IProtocolFactory,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.internet.ssl import (
    AcceptableCiphers,
    Certificate,
    CertificateOptions,
    KeyPair,
    TLSVersion,
    trustRootFromCertificates,
)
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.config.ciphers import CIPHER_SUITES
from txregistry.config.http import Tls
from txregistry.flow.context import background
from txregistry.flow.watched import Stamps, file_stamps
from txregistry.spec.pem import certificates
from txregistry.speed.tls import TlsFactory, write_in_pieces

_VERSIONS = {
    "tls1.0": TLSVersion.TLSv1_0,
    "tls1.1": TLSVersion.TLSv1_1,
    "tls1.2": TLSVersion.TLSv1_2,
    "tls1.3": TLSVersion.TLSv1_3,
}

#: Versions that are weak in themselves.
_WEAK = ("tls1.0", "tls1.1")

#: Go's names of the policies for client certificates.
_CLIENT_AUTH = {
    "request-client-cert": SSL.VERIFY_PEER,
    "require-any-client-cert": SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT,
    "verify-client-cert-if-given": SSL.VERIFY_PEER,
    "require-and-verify-client-cert": (
        SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT
    ),
}

#: Policies that request a client's certificate without checking its authority.
_UNVERIFIED = ("request-client-cert", "require-any-client-cert")

#: Suites of TLS 1.2 used if none are listed: with forward secrecy, and without padding
#: oracles.
_USUAL_SUITES = [
    suite
    for name, suite in CIPHER_SUITES.items()
    if name.startswith("TLS_ECDHE_") and "_CBC_" not in name
]

#: Seconds between two checks of the files.
_LOOK_SECONDS = 5.0


@implementer(IStreamServerEndpoint)
@attrs.define(eq=False)
class TlsEndpoint:
    """Listens with TLS around any protocol."""

    _endpoint: IStreamServerEndpoint
    _creator: ReloadingCreator

    def take(self, tls: Tls, protocols: Sequence[bytes], loaded: Certificates) -> bool:
        """Use these for new connections; return whether the files have changed."""
        return self._creator.take(tls, protocols, loaded)

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen; fires with the port."""
        wrapped = _TlsFactory(
            self._creator, False, protocolFactory, self._creator.clock
        )
        done: Deferred[IListeningPort] = self._endpoint.listen(wrapped)
        return done


class _TlsFactory(TlsFactory):
    """Puts TLS around the protocols of another factory, which may refuse."""

    def buildProtocol(self, addr: Any) -> Any:
        """Make a protocol; ``None`` if the other factory refuses."""
        inner = self.wrappedFactory.buildProtocol(addr)
        return None if inner is None else self.protocol(self, inner)


@attrs.frozen
class Certificates:
    """The files of ``http.tls``, read.

    :ivar stamps: by which it is seen that they have changed.
    """

    options: CertificateOptions
    stamps: Stamps


def load_certificates(tls: Tls, protocols: Sequence[bytes]) -> Certificates:
    """Read the files.

    :param protocols: protocols offered inside (ALPN), best first.
    :raise OSError: one cannot be read.
    :raise ValueError: a file holds no usable PEM.
    """
    stamps = _stamps(tls)
    try:
        return Certificates(make_options(tls, protocols), stamps)
    except (SSL.Error, crypto.Error) as error:
        reason = f"certificate and key cannot be used: {error}"
        raise ValueError(f"{tls.certificate}: {reason}") from error


@implementer(IOpenSSLServerConnectionCreator)
@attrs.define(eq=False)
class ReloadingCreator:
    """Gives each new connection the current certificates.

    Open connections keep theirs. If changed files cannot be used, the old certificates
    stay in use, and the log says so.
    """

    _tls: Tls
    _protocols: Sequence[bytes]
    clock: IReactorTime
    _loaded: Certificates | None = None
    _looked_at: float = 0.0
    _log = Logger()

    def load(self) -> None:
        """Read the files.

        :raise OSError: one cannot be read.
        :raise ValueError: a file holds no usable PEM.
        """
        self._loaded = load_certificates(self._tls, self._protocols)
        self._looked_at = self.clock.seconds()

    def take(self, tls: Tls, protocols: Sequence[bytes], loaded: Certificates) -> bool:
        """Use these for new connections; return whether the files have changed."""
        before, self._loaded = self._loaded, loaded
        self._tls, self._protocols = tls, protocols
        self._looked_at = self.clock.seconds()
        return before is None or before.stamps != loaded.stamps

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """Make a connection."""
        self._refresh()
        assert self._loaded is not None, "loaded before anything listens"
        options = self._loaded.options
        if IOpenSSLServerConnectionCreator.providedBy(options):
            return options.serverConnectionForTLS(tlsProtocol)
        # Before Twisted 26.4 it gives contexts only.
        return SSL.Connection(options.getContext(), None)

    @background("certificates")
    def _refresh(self) -> None:
        now = self.clock.seconds()
        if now - self._looked_at < _LOOK_SECONDS:
            return
        self._looked_at = now
        try:
            if self._loaded is None or _stamps(self._tls) != self._loaded.stamps:
                self.load()
                self._log.info("certificates were reloaded")
        except (OSError, ValueError) as error:
            self._log.error(
                "certificates have changed and cannot be used: {error}",
                error=str(error),
            )


def wrap_endpoint(
    endpoint: IStreamServerEndpoint,
    tls: Tls,
    protocols: Sequence[bytes],
    clock: IReactorTime,
) -> IStreamServerEndpoint:
    """Put TLS around an endpoint.

    :param protocols: protocols offered inside (ALPN), best first.
    :raise OSError: a file cannot be read.
    :raise ValueError: a file holds no usable PEM.
    """
    creator = ReloadingCreator(tls, protocols, clock)
    creator.load()
    return TlsEndpoint(endpoint, creator)


def _believe(*_: Any) -> bool:
    """Accept any certificate: it is requested, but not checked."""
    return True


def make_options(tls: Tls, protocols: Sequence[bytes]) -> CertificateOptions:
    """Read certificate, chain, key and client authorities.

    :raise OSError: a file cannot be read.
    :raise ValueError: a file holds no usable PEM.
    """
    chain = [Certificate.loadPEM(part) for part in certificates(_read(tls.certificate))]
    if not chain:
        raise ValueError(f"no certificate in {tls.certificate}")
    options: dict[str, Any] = {}
    if tls.clientcas:
        authorities = [
            Certificate.loadPEM(part)
            for path in tls.clientcas
            for part in certificates(_read(path))
        ]
        options["trustRoot"] = trustRootFromCertificates(authorities)
    names = [CIPHER_SUITES[name] for name in tls.ciphersuites if CIPHER_SUITES[name]]
    options["acceptableCiphers"] = AcceptableCiphers.fromOpenSSLCipherString(
        ":".join(names or _USUAL_SUITES)
    )
    made = CertificateOptions(
        privateKey=KeyPair.load(_read(tls.key), 1).original,
        certificate=chain[0].original,
        extraCertChain=[link.original for link in chain[1:]],
        insecurelyLowerMinimumTo=_VERSIONS[tls.minimumtls],
        acceptableProtocols=list(protocols),
        **options,
    )
    context = made.getContext()
    write_in_pieces(context)
    if tls.minimumtls in _WEAK:
        # OpenSSL 3 excludes these versions unless weakness is explicitly allowed.
        context.set_cipher_list(f"{':'.join(names) or 'DEFAULT'}:@SECLEVEL=0".encode())
    if tls.clientcas:
        believe = _believe if tls.clientauth in _UNVERIFIED else None
        context.set_verify(_CLIENT_AUTH[tls.clientauth], believe)
    return made


def _stamps(tls: Tls) -> Stamps:
    return file_stamps(tls.certificate, tls.key, *tls.clientcas)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
