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


#: This machine.
LOOPBACK = ("127.0.0.0/8", "::1/128")

Networks = tuple[IPv4Network | IPv6Network, ...]


@attrs.frozen
class TrustedProxies:
    """Addresses from which forwarded headers are believed.

    Note [Who asks]. What counts for each client apart, such as attempts with passwords,
    goes by its address. Any client of a private network could claim to be many, so
    that those of this machine alone are asked for whom they ask, unless the
    configuration says who the proxies are.

    :ivar networks: may say how we were asked: by which scheme and host.
    :ivar of_clients: may say for whom they ask.
    """

    networks: Networks
    of_clients: Networks

    @classmethod
    def parse(cls, texts: Iterable[str]) -> TrustedProxies:
        """Read addresses and networks.

        :raise ValueError: one is neither.
        """
        given = tuple(texts)
        of_clients = LOOPBACK if given == USUAL_NETWORKS else given
        return cls(_networks(given), _networks(of_clients))

    def believes(self, peer: str) -> bool:
        """Tell whether one is believed that says how we were asked.

        :param peer: its address; who has none came by a path of this machine.
        """
        return _is_in(peer, self.networks)

    def names_clients(self, peer: str) -> bool:
        """Tell whether one is believed that says for whom it asks."""
        return _is_in(peer, self.of_clients)


def _networks(texts: Iterable[str]) -> Networks:
    return tuple(ip_network(text, strict=False) for text in texts)


def _is_in(peer: str, networks: Networks) -> bool:
    address = _address(peer)
    return address is None or any(address in network for network in networks)


@lru_cache(256)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found
