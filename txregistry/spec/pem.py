"""Certificates in PEM (RFC 7468), one by one."""

from __future__ import annotations

_BEGIN = b"-----BEGIN CERTIFICATE-----"
_END = b"-----END CERTIFICATE-----"


def certificates(pem: bytes) -> list[bytes]:
    """Give the certificates of a file; other blocks are passed over.

    One that is cut short is among them: whoever reads it says what is wrong.
    """
    return [
        _BEGIN + part.partition(_END)[0] + _END + b"\n"
        for part in pem.split(_BEGIN)[1:]
    ]
