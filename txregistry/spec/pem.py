"""Split PEM files (RFC 7468) into certificates."""

from __future__ import annotations

_BEGIN = b"-----BEGIN CERTIFICATE-----"
_END = b"-----END CERTIFICATE-----"


def certificates(pem: bytes) -> list[bytes]:
    """Return the PEM block of each certificate in a file; other blocks are skipped.

    A truncated block is included, so that parsing it reports the error.
    """
    return [
        _BEGIN + part.partition(_END)[0] + _END + b"\n"
        for part in pem.split(_BEGIN)[1:]
    ]
