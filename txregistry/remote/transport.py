"""The core agent: connects with the configured TLS, through an egress proxy if any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import (
    Certificate,
    PrivateCertificate,
    optionsForClientTLS,
    platformTrust,
    trustRootFromCertificates,
)
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.iweb import IAgent, IPolicyForHTTPS
from zope.interface import implementer

from txregistry.flow.unverified_tls import UnverifiedTls
from txregistry.remote.egress import ProxiedAgent
from txregistry.remote.targets import CheckedEndpoints, Targets
from txregistry.remote.variables import egress_proxies, proxy_bypass
from txregistry.spec.pem import certificates


@attrs.frozen
class TlsFiles:
    """The PEM content of the files that configure TLS to an upstream.

    :ivar ca: the only trusted authorities; empty for those of the system.
    :ivar certificate: our client certificate, with ``key``; empty for none.
    :ivar insecure: verifies neither chain nor name.
    """

    ca: bytes = b""
    certificate: bytes = b""
    key: bytes = attrs.field(default=b"", repr=False)
    insecure: bool = False


@implementer(IPolicyForHTTPS)
@attrs.define(eq=False)
class UpstreamPolicy:
    """TLS that verifies the host, and sends our client certificate if there is one.

    :raise ValueError: when made, if a file has no valid PEM.
    """

    _files: TlsFiles
    _trust: Any = attrs.field(init=False)
    _client_certificate: PrivateCertificate | None = attrs.field(init=False)
    _unverified: UnverifiedTls | None = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        files = self._files
        self._trust = _authorities(files.ca) if files.ca else platformTrust()
        self._client_certificate = None
        if files.certificate:
            self._client_certificate = PrivateCertificate.loadPEM(
                files.certificate + files.key
            )
        self._unverified = None
        if files.insecure:
            self._unverified = UnverifiedTls(self._client_certificate)

    def creatorForNetloc(
        self, hostname: bytes, port: int
    ) -> IOpenSSLClientConnectionCreator:
        """Return the creator of TLS connections to a host."""
        if self._unverified is not None:
            return self._unverified.creatorForNetloc(hostname, port)
        creator: IOpenSSLClientConnectionCreator = optionsForClientTLS(
            hostname.decode("ascii"),
            trustRoot=self._trust,
            clientCertificate=self._client_certificate,
        )
        return creator


def _authorities(pem: bytes) -> Any:
    parts = certificates(pem)
    if not parts:
        raise ValueError("the CA file has no certificate")
    return trustRootFromCertificates([Certificate.loadPEM(part) for part in parts])


def make_core_agent(
    reactor: Any,
    pool: HTTPConnectionPool,
    files: TlsFiles,
    connect_seconds: float,
    environment: Mapping[str, str],
    targets: Targets,
) -> IAgent:
    """Make the agent that connects.

    :param connect_seconds: time limit for connecting.
    :param environment: with ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``NO_PROXY``, in upper
        or lower case.
    :param targets: the addresses that are permitted.
    :raise ValueError: a file or the address of a proxy is invalid.
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
