"""Health checks, as configured."""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IReactorTime

from txregistry.assembly.context import Context
from txregistry.config.fields import host_and_port
from txregistry.config.health import HealthSection, HttpHealth
from txregistry.health.checks import Check, Health
from txregistry.health.probes import file_probe, http_probe, storage_probe, tcp_probe
from txregistry.interfaces.driver import IStorageDriver
from txregistry.spec.weburl import Target

#: Default seconds between two probes, and for one probe, used for 0.
_HEALTH_SECONDS = 10.0

#: Seconds that the storage may take to answer a health check.
_STORAGE_SECONDS = 10.0


def build_health(context: Context, driver: IStorageDriver) -> Health:
    """Build the checks."""
    checks = health_checks(context.config.health, driver, context.reactor)
    return Health(checks, context.reactor)


def health_checks(
    health: HealthSection, driver: IStorageDriver, reactor: Any
) -> tuple[Check, ...]:
    """Give the configured checks."""
    clock: IReactorTime = reactor
    checks = []
    storage = health.storagedriver
    if storage.enabled:
        name = f"storagedriver_{driver.name}"
        checks.append(
            Check(
                name,
                storage_probe(driver),
                storage.interval or _HEALTH_SECONDS,
                storage.threshold,
                _STORAGE_SECONDS,
                clock,
            )
        )
    checks += [
        Check(
            item.file,
            file_probe(item.file),
            item.interval or _HEALTH_SECONDS,
            item.threshold,
            5.0,
            clock,
        )
        for item in health.file
    ]
    checks += [_http_check(item, reactor) for item in health.http]
    checks += [
        Check(
            item.addr,
            tcp_probe(_endpoint(reactor, item.addr)),
            item.interval or _HEALTH_SECONDS,
            item.threshold,
            item.timeout or _HEALTH_SECONDS,
            clock,
        )
        for item in health.tcp
    ]
    return tuple(checks)


def _http_check(item: HttpHealth, reactor: Any) -> Check:
    # The client is imported where something is to be asked.
    from treq.client import HTTPClient
    from twisted.web.client import Agent

    client = HTTPClient(Agent(reactor))
    # The name appears in the log and on the debug listener.
    target = Target.of(item.uri)
    return Check(
        target.masked,
        http_probe(client, target.url, target.headers(item.headers), item.statuscode),
        item.interval or _HEALTH_SECONDS,
        item.threshold,
        item.timeout or _HEALTH_SECONDS,
        reactor,
    )


def _endpoint(reactor: Any, address: str) -> HostnameEndpoint:
    host, port = host_and_port(address)
    return HostnameEndpoint(reactor, host.encode("ascii"), port)
