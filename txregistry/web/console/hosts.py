"""Which names the admin listener answers to (pure).

A page of another site can have its own name resolve to our address, and is then of the
same origin as we are (DNS rebinding). So it has to be a name that is known to be ours.
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_address

#: In the list of names, every name.
ANY = "*"


def is_ours(host: str, names: Collection[str]) -> bool:
    """Tell whether a ``Host`` names us: an address, this machine, or a name of a list.

    :param host: with or without a port.
    :param names: in lower case; :data:`ANY` permits all.
    """
    name = _without_port(host.strip().lower()).rstrip(".")
    if name == "localhost" or name in names or ANY in names:
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host
