"""The kinds of probes: the storage, a file, a URL, a port."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IStreamClientEndpoint, ITransport
from twisted.internet.protocol import Factory, Protocol
from twisted.web.http_headers import Headers

from txregistry.flow.deferred import deferred
from txregistry.health.checks import Probe
from txregistry.interfaces.driver import IStorageDriver, PathNotFound
from txregistry.speed.failures import failed

if TYPE_CHECKING:
    from treq.client import HTTPClient


class Unhealthy(Exception):
    """A probe found a problem."""


def storage_probe(driver: IStorageDriver) -> Probe:
    """Stat the root of the storage; an empty one is healthy."""

    @deferred
    async def probe() -> None:
        try:
            await driver.stat(path="/")
        except PathNotFound:
            return

    return probe


def file_probe(path: str) -> Probe:
    """Fail if a file exists: an operator makes it to take this process out of use."""

    def probe() -> Deferred[None]:
        if os.path.exists(path):
            return failed(Unhealthy("file exists"))
        return succeed(None)

    return probe


def http_probe(
    client: HTTPClient, url: str, headers: Mapping[str, Sequence[str]], status: int
) -> Probe:
    """Send HEAD to a URL, and compare the status."""
    sent = Headers({name: list(values) for name, values in headers.items()})

    @deferred
    async def probe() -> None:
        response = await client.head(url, headers=sent, allow_redirects=False)
        await response.content()
        if response.code != status:
            raise Unhealthy(f"downstream service returned {response.code}")

    return probe


def tcp_probe(endpoint: IStreamClientEndpoint) -> Probe:
    """Connect to a port."""

    @deferred
    async def probe() -> None:
        protocol = await endpoint.connect(Factory.forProtocol(Protocol))
        transport = cast(Protocol, protocol).transport
        cast(ITransport, transport).loseConnection()

    return probe
