"""The client behind proxies (RFC 7239, 5.2; ``X-Forwarded-For``)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from ipaddress import ip_address

from txregistry.spec.forwarded import forwarded_elements

_PORT = re.compile(r":[0-9]{1,5}$")


def client_address(
    peer: str, forwarded: str, forwarded_for: str, is_trusted: Callable[[str], bool]
) -> str:
    """Return the address of a client that may be behind several proxies.

    Each proxy appends the address it was contacted from, so a client can only forge
    earlier entries. Read from the end, the result is the first address that is not a
    trusted proxy. If all are, or an entry is no address, it is the last one read.

    :param peer: the address of the connection.
    :param forwarded: the ``Forwarded`` header.
    :param forwarded_for: ``X-Forwarded-For``; used if the other has no ``for``.
    :param is_trusted: returns whether an address is that of a trusted proxy.
    """
    client = peer
    for hop in _hops(forwarded, forwarded_for):
        if not is_trusted(client):
            return client
        address = hop_address(hop)
        if address is None:
            return client
        client = address
    return client


def _hops(forwarded: str, forwarded_for: str) -> Iterator[str]:
    named = [pairs["for"] for pairs in forwarded_elements(forwarded) if "for" in pairs]
    return reversed(named or forwarded_for.split(","))


def hop_address(text: str) -> str | None:
    """Parse an address as proxies write it, with or without a port.

    :return: ``None`` if it is no address, such as ``unknown``.
    """
    text = text.strip()
    bare = text if text.count(":") > 1 and "[" not in text else _PORT.sub("", text)
    if bare.startswith("[") and bare.endswith("]"):
        bare = bare[1:-1]
    try:
        return str(ip_address(bare))
    except ValueError:
        return None
