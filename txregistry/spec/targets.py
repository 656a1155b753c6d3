"""Which addresses an upstream may redirect us to (pure).

Services in private networks often trust everyone who can reach them. We can, and an
upstream must not be able to use that (server-side request forgery).
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
    """From where an address can be reached; smaller is nearer.

    ``LINK_LOCAL`` stands for all addresses that are never a legitimate target, such as
    the metadata services that hand out a machine's credentials.
    """

    LINK_LOCAL = 0
    LOOPBACK = 1
    PRIVATE = 2
    PUBLIC = 3


#: Metadata services of cloud providers at addresses that are not link-local.
_METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "fd00:ec2::254",
        "fd20:ce::254",
        "100.100.100.200",
        "168.63.129.16",  # Azure; a public address
        "192.0.0.192",
    )
)

#: IPv6 prefixes whose addresses embed an IPv4 address in their last 32 bits.
_EMBEDDING = tuple(
    ipaddress.ip_network(text)
    for text in ("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96", "::/96")
)

_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?")


def reach_of(address: str) -> Reach:
    """Return from where an address can be reached.

    :param address: as text; an IPv6 zone is ignored.
    :raise ValueError: it is no address.
    """
    found = _parse_address(address)
    if found.is_loopback or found.is_unspecified:
        return Reach.LOOPBACK
    if found in _METADATA or found.is_link_local or found.is_multicast:
        return Reach.LINK_LOCAL
    return Reach.PUBLIC if found.is_global else Reach.PRIVATE


def _parse_address(text: str) -> Address:
    """Parse an address without its zone; an embedded IPv4 address replaces it."""
    address = ipaddress.ip_address(text.partition("%")[0])
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

    :ivar name: a host name in lower case; empty for a network.
    :ivar network: ``None`` for a host name.
    :ivar port: ``None`` for all ports.
    """

    name: str = ""
    network: Network | None = None
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> TrustedTarget:
        """Parse a host or an address, with or without a port, or a network.

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
        """Return whether this entry matches a host, or its address, and a port."""
        if self.port not in (None, port):
            return False
        if self.network is None:
            return self.name == host.lower().rstrip(".")
        return _parse_address(address) in self.network


def _split(entry: str) -> tuple[str, int | None]:
    host, colon, port = entry.rpartition(":")
    is_port = port.isascii() and port.isdigit() and len(port) < 6
    if colon and is_port and (":" not in host or host.startswith("[")):
        return host.strip("[]"), int(port)
    return entry.strip("[]"), None


def may_redirect(
    home: Reach,
    host: str,
    port: int,
    address: str,
    trusted: Iterable[TrustedTarget],
) -> bool:
    """Decide whether an upstream may redirect us to a host that has this address.

    One at a public address may redirect to public addresses; one at a private address
    also to private ones; one on the loopback also to the loopback. Any may redirect to
    trusted targets.

    :param home: from where the upstream itself can be reached.
    :raise ValueError: ``address`` is no address.
    """
    reach = reach_of(address)
    if reach is not Reach.LINK_LOCAL and reach >= max(home, Reach.LOOPBACK):
        return True
    return any(target.covers(host, port, address) for target in trusted)
