"""The client of an upstream, from its section of the configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.web.iweb import IAgent

from txregistry import USER_AGENT
from txregistry.config.proxy import Upstream
from txregistry.interfaces.observe import IMeter
from txregistry.interfaces.tracing import ITracer
from txregistry.remote.client import Limits, UpstreamAgents, make_agents
from txregistry.remote.connections import KeepAlivePool
from txregistry.remote.credentials import (
    Credentials,
    HelperCredentials,
    ICredentialStore,
    StaticCredentials,
)
from txregistry.remote.offline import OfflineAgent, OfflineSwitch
from txregistry.remote.ratelimit import RateLimit
from txregistry.remote.targets import make_targets
from txregistry.remote.transport import TlsFiles, make_core_agent
from txregistry.tracing.traced import TracedAgent


def upstream_agents(
    proxy: Upstream,
    files: TlsFiles,
    reactor: Any,
    pool: KeepAlivePool,
    jitter: Callable[[], float],
    environment: Mapping[str, str],
    meter: IMeter,
    tracer: ITracer | None = None,
    offline: OfflineSwitch | None = None,
    rate_limit: RateLimit | None = None,
) -> UpstreamAgents:
    """Give how the upstream is asked; sends no request yet.

    :param files: those of ``proxy.tls``.
    :param jitter: gives random numbers from 0 to 1.
    :param environment: names egress proxies; see ``make_core_agent``.
    :param offline: while it is on, nothing connects.
    :param rate_limit: is shown all answers.
    :raise ValueError: a file holds no usable PEM, or an egress proxy cannot be
        used.
    """
    targets = make_targets(
        reactor, proxy.remoteurl, proxy.trustedtargets, proxy.trustedrealms
    )
    core: IAgent = make_core_agent(
        reactor, pool, files, proxy.connecttimeout, environment, targets
    )
    if tracer is not None:
        core = TracedAgent(core, tracer)
    if offline is not None:
        core = OfflineAgent(core, offline)
    return make_agents(
        proxy.remoteurl,
        core,
        reactor,
        jitter,
        credentials(proxy, reactor),
        proxy.trustedrealms,
        Limits(
            proxy.firstbytetimeout,
            proxy.idletimeout,
            proxy.maxconnections,
            proxy.negativettl,
        ),
        meter,
        proxy.useragent or USER_AGENT,
        pool,
        rate_limit,
    )


def credentials(proxy: Upstream, reactor: Any) -> ICredentialStore:
    """Give our credentials at the upstream: of a helper, a configured pair, or none."""
    if proxy.exec.command:
        return HelperCredentials(
            reactor, reactor, proxy.exec.command, proxy.exec.lifetime
        )
    if not proxy.username:
        return StaticCredentials(None)
    return StaticCredentials(Credentials(proxy.username, proxy.password))
