"""Storage middleware in one module: clients of a network read from its own server."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any

import attrs
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from txregistry.flow.wrapper import Wrapper
from txregistry.interfaces.driver import FileRequest, IStorageDriver, IURLProvider
from txregistry.interfaces.middleware import IStorageMiddleware, Services


def make(options: Mapping[str, Any], services: Services) -> IStorageMiddleware:
    """Make it of ``network``, and the ``url`` below which its server has the files."""
    try:
        network = ip_network(str(options.get("network", "")))
    except ValueError as error:
        raise ValueError(f"options.network: {error}") from error
    return Lan(network, str(options.get("url", "")))


@implementer(IStorageMiddleware)
@attrs.frozen
class Lan:
    """Knows a network, and its server."""

    _network: Any
    _url: str

    def wrap(self, driver: IStorageDriver) -> IStorageDriver:
        """Give the driver with URLs for clients of the network."""
        return LanDriver(driver, self)  # type: ignore[return-value]

    def url(self, path: str, address: str) -> str | None:
        """Give a URL of a file; ``None`` if the client is somewhere else."""
        try:
            is_near = ip_address(address) in self._network
        except ValueError:
            return None  # as of a Unix socket
        return f"{self._url}{path}" if is_near else None


@implementer(IURLProvider)
class LanDriver(Wrapper):
    """Has all that the other driver has; its URLs are for all other clients."""

    def __init__(self, driver: IStorageDriver, lan: Lan) -> None:
        super().__init__(driver)
        self._lan = lan

    def url(self, path: str, request: FileRequest) -> Deferred[str | None]:
        """Fire with a URL; ``None`` lets the client read through the registry."""
        found = self._lan.url(path, request.address)
        if found is None and IURLProvider.providedBy(self.wrapped):
            other: Deferred[str | None]
            other = self.wrapped.url(path=path, request=request)
            return other
        return succeed(found)
