"""For whom a request was forwarded (RFC 7239, 5.2; ``X-Forwarded-For``)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from ipaddress import ip_address

from txregistry.spec.forwarded import forwarded_elements

_PORT = re.compile(r":[0-9]{1,5}$")


def client_of(
    peer: str, forwarded: str, forwarded_for: str, believes: Callable[[str], bool]
) -> str:
    """Give the address of a client, which may be behind several proxies.

    Each proxy adds whom it has heard to the end, so that what a client writes there
    itself stands before. The last one counts of whom nobody trusted says for whom it
    asks.

    :param peer: who is connected.
    :param forwarded: the ``Forwarded`` header; without any ``for`` in it the other one
        counts.
    :param forwarded_for: ``X-Forwarded-For``.
    :param believes: tells whether somebody is trusted to say it.
    """
    found = peer
    for hop in _hops(forwarded, forwarded_for):
        if not believes(found):
            return found
        address = hop_address(hop)
        if address is None:
            return found
        found = address
    return found


def _hops(forwarded: str, forwarded_for: str) -> Iterator[str]:
    named = [pairs["for"] for pairs in forwarded_elements(forwarded) if "for" in pairs]
    return reversed(named or forwarded_for.split(","))


def hop_address(text: str) -> str | None:
    """Read an address as proxies write it, with a port or without.

    :return: ``None`` for what is none, such as ``unknown``.
    """
    text = text.strip()
    bare = text if text.count(":") > 1 and "[" not in text else _PORT.sub("", text)
    if bare.startswith("[") and bare.endswith("]"):
        bare = bare[1:-1]
    try:
        return str(ip_address(bare))
    except ValueError:
        return None
