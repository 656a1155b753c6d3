"""Which addresses are one peer to whoever counts them."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, ip_address

#: Of an address of IPv6, what one customer of a network is given at least.
_IPV6_SHARE_BITS = 64


@lru_cache(1024)
def share_of(peer: str) -> str:
    """Say which addresses have one share: one of IPv4, or 64 bits of IPv6."""
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    if not isinstance(address, IPv6Address):
        return peer
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{int(address) >> (128 - _IPV6_SHARE_BITS):x}"
