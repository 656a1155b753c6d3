"""Client addresses grouped for limits and fair shares."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, ip_address

#: The prefix of an IPv6 address that one customer has at least to itself, in bits.
_IPV6_SHARE_BITS = 64


@lru_cache(1024)
def client_key(peer: str) -> str:
    """Return the key by which a peer is counted: its IPv4 address or IPv6 /64.

    :param peer: an address; any other text, such as an empty one, is its own key.
    """
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    if not isinstance(address, IPv6Address):
        return peer
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{int(address) >> (128 - _IPV6_SHARE_BITS):x}"
