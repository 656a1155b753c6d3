"""``NO_PROXY``: which hosts are reached directly (pure).

As Go's ``golang.org/x/net/http/httpproxy`` reads it, and so every client that stands
beside us: names with what is below them, names below which something stands (a leading
dot), addresses, networks, each perhaps with a port; a star for all. What names the
loopback by its address, or as ``localhost``, is never asked of a proxy.
"""

from __future__ import annotations

import ipaddress

import attrs

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@attrs.frozen
class Rule:
    """One entry.

    :ivar name: of a host, or an address as text.
    :ivar below: names below it count.
    :ivar itself: the name itself counts.
    :ivar port: the only one it is about; ``None`` for all.
    """

    name: str = ""
    below: bool = False
    itself: bool = True
    network: _Network | None = None
    port: int | None = None

    def covers(self, host: str, address: _Address | None, port: int) -> bool:
        """Tell whether a host is meant."""
        if self.port not in (None, port):
            return False
        if self.network is not None:
            return address is not None and address in self.network
        if self.itself and host == self.name:
            return True
        return self.below and address is None and host.endswith("." + self.name)


@attrs.frozen
class Bypass:
    """All entries of ``NO_PROXY``."""

    rules: tuple[Rule, ...] = ()
    everything: bool = False

    @classmethod
    def parse(cls, text: str) -> Bypass:
        """Read the variable; what means nothing is passed over."""
        entries = [entry.strip().lower() for entry in text.split(",")]
        rules = [_rule(entry) for entry in entries if entry]
        return cls(tuple(filter(None, rules)), "*" in entries)

    def covers(self, host: str, port: int) -> bool:
        """Tell whether a host is to be reached directly.

        :param host: a name, or an address without brackets.
        """
        host = host.lower().strip("[]").rstrip(".")
        address = _address(host)
        if host == "localhost" or (address is not None and address.is_loopback):
            return True
        if self.everything:
            return True
        return any(rule.covers(host, address, port) for rule in self.rules)


def _rule(entry: str) -> Rule | None:
    try:
        return Rule(network=ipaddress.ip_network(entry, strict=False))
    except ValueError:
        pass  # a name, or something with a port
    host, port = _split(entry)
    if address := _address(host):
        return Rule(network=ipaddress.ip_network(address), port=port)
    dotted = host.startswith((".", "*."))
    name = host.lstrip("*").strip(".")
    return Rule(name, True, not dotted, None, port) if name else None


def _split(entry: str) -> tuple[str, int | None]:
    host, colon, port = entry.rpartition(":")
    if colon and port.isascii() and port.isdigit() and len(port) < 6:
        return host.strip("[]"), int(port)
    return entry.strip("[]"), None


def _address(host: str) -> _Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
