"""``NO_PROXY``: hosts that are reached without a proxy (pure).

It is parsed as Go's ``golang.org/x/net/http/httpproxy`` does, which most container
tools use. An entry is a domain with its subdomains, a domain's subdomains alone (with a
leading dot), an address or a network (CIDR); all but networks may have a port. ``*``
stands for all hosts. ``localhost`` and loopback addresses never use a proxy.
"""

from __future__ import annotations

import ipaddress

import attrs

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@attrs.frozen
class Rule:
    """One entry.

    :ivar name: a domain name.
    :ivar below: its subdomains match.
    :ivar itself: the name itself matches.
    :ivar network: matches addresses in it, instead of names.
    :ivar port: the only port that matches; ``None`` for all.
    """

    name: str = ""
    below: bool = False
    itself: bool = True
    network: _Network | None = None
    port: int | None = None

    def covers(self, host: str, address: _Address | None, port: int) -> bool:
        """Return whether the entry matches a host.

        :param address: the host as an address, if it is one.
        """
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
        """Parse the value of the variable; invalid entries are ignored."""
        entries = [entry.strip().lower() for entry in text.split(",")]
        rules = [_rule(entry) for entry in entries if entry]
        return cls(tuple(filter(None, rules)), "*" in entries)

    def covers(self, host: str, port: int) -> bool:
        """Return whether a host is reached without a proxy.

        :param host: a name or an address.
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
