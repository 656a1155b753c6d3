"""Signature algorithms of tokens (RFC 7518, 3.1; RFC 8037, 3.1) and embedded keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ALGORITHMS = (
    "EdDSA",
    *(f"{kind}{bits}" for kind in ("HS", "RS", "ES", "PS") for bits in (256, 384, 512)),
)

#: The public members of a JSON web key, and those that identify it.
_PUBLIC = ("kty", "n", "e", "crv", "x", "y", "alg", "use", "kid")


def public_half(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the public members of an untrusted JSON web key.

    Libraries check the consistency of private members, which takes hours for numbers
    that an attacker chose.
    """
    return {name: fields[name] for name in _PUBLIC if name in fields}
