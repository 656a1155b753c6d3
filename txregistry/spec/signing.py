"""What a token may be signed with (RFC 7518, 3.1; RFC 8037, 3.1)."""

from __future__ import annotations

ALGORITHMS = (
    "EdDSA",
    *(f"{kind}{bits}" for kind in ("HS", "RS", "ES", "PS") for bits in (256, 384, 512)),
)
