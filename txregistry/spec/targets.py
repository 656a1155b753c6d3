"""Which addresses an upstream may send us to (pure).

What answers at an address of a private network trusts whoever can reach it. We can, and
an upstream that chooses where we ask next must gain nothing by that.
"""

from __future__ import annotations

import enum
import ipaddress
import re
from collections.abc import Iterable

import attrs

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Reach(enum.IntEnum):
    """From where an address can be reached; less is nearer.

    Link-local addresses stand for what is nobody's target: among them are the services
    that give a machine its credentials.
    """

    LINK_LOCAL = 0
    LOOPBACK = 1
    PRIVATE = 2
    PUBLIC = 3


#: Services of the kind that link-local addresses have, at addresses of another kind.
_METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "fd00:ec2::254",
        "fd20:ce::254",
        "100.100.100.200",
        "168.63.129.16",  # Azure's, though it is a public one
        "192.0.0.192",
    )
)

#: Prefixes of IPv6 of which the last 32 bits are an address of IPv4.
_EMBEDDING = tuple(
    ipaddress.ip_network(text)
    for text in ("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96", "::/96")
)

_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?")


def reach_of(address: str) -> Reach:
    """Say from where an address can be reached.

    :param address: as text; a zone of IPv6 is left aside.
    :raise ValueError: it is none.
    """
    found = _plain(ipaddress.ip_address(address.partition("%")[0]))
    if found.is_loopback or found.is_unspecified:
        return Reach.LOOPBACK
    if found in _METADATA or found.is_link_local or found.is_multicast:
        return Reach.LINK_LOCAL
    return Reach.PUBLIC if found.is_global else Reach.PRIVATE


def _plain(address: Address) -> Address:
    """Give the address of IPv4 that one of IPv6 stands for, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if inner := address.ipv4_mapped or address.sixtofour:
        return inner
    low = int(address) & 0xFFFFFFFF
    if low > 1 and any(address in network for network in _EMBEDDING):
        return ipaddress.IPv4Address(low)
    return address


@attrs.frozen
class TrustedTarget:
    """One entry of ``proxy.trustedtargets``.

    :ivar name: of a host, in lower case; empty for a network.
    :ivar port: the only one that is meant; ``None`` for all.
    """

    name: str = ""
    network: Network | None = None
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> TrustedTarget:
        """Read a host, an address or a network; the first two perhaps with a port.

        :raise ValueError: it is none of these.
        """
        entry = text.strip().lower()
        try:
            return cls(network=ipaddress.ip_network(entry))
        except ValueError:
            host, port = _split(entry)
        try:
            return cls(network=ipaddress.ip_network(host), port=port)
        except ValueError:
            if not _NAME.fullmatch(host):
                expected = "expected a host, an address or a network, without a scheme"
                raise ValueError(expected) from None
        return cls(host, None, port)

    def covers(self, host: str, port: int, address: str) -> bool:
        """Tell whether a host at an address is meant."""
        if self.port not in (None, port):
            return False
        if self.network is None:
            return self.name == host.lower().rstrip(".")
        return _plain(ipaddress.ip_address(address.partition("%")[0])) in self.network


def _split(entry: str) -> tuple[str, int | None]:
    host, colon, port = entry.rpartition(":")
    is_port = port.isascii() and port.isdigit() and len(port) < 6
    if colon and is_port and (":" not in host or host.startswith("[")):
        return host.strip("[]"), int(port)
    return entry.strip("[]"), None


def may_lead(
    home: Reach,
    host: str,
    port: int,
    address: str,
    trusted: Iterable[TrustedTarget],
) -> bool:
    """Decide whether an upstream may send us to a host that is found at an address.

    From a public address it may lead to public ones; from a private one to these and
    to private ones; from the loopback to all of these.

    :param home: from where the upstream itself can be reached.
    """
    there = reach_of(address)
    if there is not Reach.LINK_LOCAL and there >= max(home, Reach.LOOPBACK):
        return True
    return any(target.covers(host, port, address) for target in trusted)
