"""What a token may be signed with (RFC 7518, 3.1; RFC 8037, 3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ALGORITHMS = (
    "EdDSA",
    *(f"{kind}{bits}" for kind in ("HS", "RS", "ES", "PS") for bits in (256, 384, 512)),
)

#: The members of a JSON web key that make up its public half, and name it.
_PUBLIC = ("kty", "n", "e", "crv", "x", "y", "alg", "use", "kid")


def public_half(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Give the public half of a JSON web key that somebody brings along.

    Libraries find out whether the numbers of a private key fit one another, which takes
    hours for those of somebody who wants it to.
    """
    return {name: fields[name] for name in _PUBLIC if name in fields}
