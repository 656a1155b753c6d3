"""Which peers are trusted proxies, whose forwarded headers count."""

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

#: The default: loopback and private networks (RFC 1918, RFC 4193).
DEFAULT_NETWORKS = (
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
    """Networks whose forwarded headers are trusted.

    Note [Who asks]. Limits per client, such as on password attempts, go by its address.
    By default any client in a private network counts as a proxy, and could claim many
    addresses. So unless the configuration names the proxies, only those on the loopback
    are trusted to name the client's address.

    :ivar networks: trusted to name the scheme and host of the client's URL.
    :ivar client_networks: trusted to name the client's address.
    """

    networks: Networks
    client_networks: Networks

    @classmethod
    def parse(cls, texts: Iterable[str]) -> TrustedProxies:
        """Parse addresses and networks.

        :raise ValueError: a text is neither.
        """
        given = tuple(texts)
        client_networks = LOOPBACK if given == DEFAULT_NETWORKS else given
        return cls(_networks(given), _networks(client_networks))

    def trusts(self, peer: str) -> bool:
        """Return whether a peer is trusted to name the scheme and host.

        :param peer: its address; text that is no address stands for a Unix socket,
            which is trusted.
        """
        return _is_in(peer, self.networks)

    def trusts_client_address(self, peer: str) -> bool:
        """Return whether a peer is trusted to name the client's address."""
        return _is_in(peer, self.client_networks)


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
