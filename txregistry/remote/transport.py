"""Connections to the upstream: TLS as configured, through an egress proxy if any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    PrivateCertificate,
    optionsForClientTLS,
    platformTrust,
    trustRootFromCertificates,
)
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.iweb import IAgent, IPolicyForHTTPS
from zope.interface import implementer

from txregistry.remote.bypass import Bypass
from txregistry.remote.egress import ProxiedAgent, ProxyAddress
from txregistry.remote.targets import CheckedEndpoints, Targets
from txregistry.spec.pem import certificates


@attrs.frozen
class TlsFiles:
    """The content of the files that configure TLS towards an upstream, as PEM.

    :ivar ca: trusted beside nothing else; empty for the system's authorities.
    :ivar insecure: verify neither chain nor name.
    """

    ca: bytes = b""
    certificate: bytes = b""
    key: bytes = attrs.field(default=b"", repr=False)
    insecure: bool = False


@implementer(IOpenSSLClientConnectionCreator)
@attrs.define(eq=False)
class _Unverified:
    """Connections that take any certificate, for ``proxy.tls.insecure``."""

    _hostname: str
    _context: SSL.Context

    def clientConnectionForTLS(
        self, tlsProtocol: TLSMemoryBIOProtocol
    ) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
        connection.set_tlsext_host_name(self._hostname.encode("idna"))
        return connection


@implementer(IPolicyForHTTPS)
@attrs.define(eq=False)
class UpstreamPolicy:
    """Verifies the upstream by its name, and shows it our certificate if we have one.

    :raise ValueError: at once, if a file holds no usable PEM.
    """

    _files: TlsFiles
    _trust: Any = attrs.field(init=False)
    _client_certificate: PrivateCertificate | None = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        files = self._files
        self._trust = _authorities(files.ca) if files.ca else platformTrust()
        self._client_certificate = None
        if files.certificate:
            self._client_certificate = PrivateCertificate.loadPEM(
                files.certificate + files.key
            )

    def creatorForNetloc(
        self, hostname: bytes, port: int
    ) -> IOpenSSLClientConnectionCreator:
        """Give what makes a TLS connection to a host."""
        name = hostname.decode("ascii")
        if self._files.insecure:
            certificate = self._client_certificate
            options = CertificateOptions(
                privateKey=None
                if certificate is None
                else certificate.privateKey.original,
                certificate=None if certificate is None else certificate.original,
                verify=False,
            )
            return _Unverified(name, options.getContext())
        creator: IOpenSSLClientConnectionCreator = optionsForClientTLS(
            name, trustRoot=self._trust, clientCertificate=self._client_certificate
        )
        return creator


def _authorities(pem: bytes) -> Any:
    parts = certificates(pem)
    if not parts:
        raise ValueError("no certificate in the CA file")
    return trustRootFromCertificates([Certificate.loadPEM(part) for part in parts])


def make_core_agent(
    reactor: Any,
    pool: HTTPConnectionPool,
    files: TlsFiles,
    connect_seconds: float,
    environment: Mapping[str, str],
    targets: Targets,
) -> IAgent:
    """Make the agent that really connects.

    :param targets: decides where the upstream may send us.
    :param environment: ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``NO_PROXY`` count, in
        upper or lower case.
    :raise ValueError: at once, for a proxy that cannot be used.
    """
    policy = UpstreamPolicy(files)
    endpoints = CheckedEndpoints(reactor, policy, connect_seconds, targets)
    direct: IAgent = Agent.usingEndpointFactory(reactor, endpoints, pool)
    proxies = egress_proxies(environment)
    if not proxies:
        return direct
    bypass = proxy_bypass(environment)
    return ProxiedAgent(
        direct, reactor, policy, connect_seconds, proxies, bypass, pool, targets
    )


def egress_proxies(environment: Mapping[str, str]) -> dict[str, ProxyAddress]:
    """Read which proxy serves each scheme (pure).

    :raise ValueError: a proxy's address is none that can be used; names the variable.
    """
    found = {}
    for scheme in ("http", "https"):
        name, text = _variable(environment, f"{scheme}_proxy")
        if text:
            try:
                found[scheme] = ProxyAddress.parse(text)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
    return found


def proxy_bypass(environment: Mapping[str, str]) -> Bypass:
    """Give the rule that says which hosts are reached directly (pure)."""
    return Bypass.parse(_variable(environment, "no_proxy")[1])


def _variable(environment: Mapping[str, str], name: str) -> tuple[str, str]:
    """Give a variable's name and value: in upper case, or in lower if that is empty."""
    for spelling in (name.upper(), name):
        if value := environment.get(spelling, "").strip():
            return spelling, value
    return name.upper(), ""
