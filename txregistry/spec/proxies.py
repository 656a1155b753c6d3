"""Whose word counts when it says for whom it forwards a request."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

import attrs

#: The loopback and private networks (RFC 1918, RFC 4193).
USUAL_NETWORKS = (
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "::1/128",
    "fc00::/7",
)


@attrs.frozen
class TrustedProxies:
    """Addresses from which forwarded headers are believed."""

    networks: tuple[IPv4Network | IPv6Network, ...]

    @classmethod
    def parse(cls, texts: Iterable[str]) -> TrustedProxies:
        """Read addresses and networks.

        :raise ValueError: one is neither.
        """
        return cls(tuple(ip_network(text, strict=False) for text in texts))

    def believes(self, peer: str) -> bool:
        """Tell whether one is believed.

        :param peer: its address; who has none came by a path of this machine.
        """
        address = _address(peer)
        return address is None or any(address in network for network in self.networks)


@lru_cache(256)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found
