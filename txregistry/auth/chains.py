"""Certificate chains of tokens (``x5c``), checked up to a trusted root."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import dsa, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import Key, import_key

_Kind = TypeVar("_Kind", bound=x509.ExtensionType)

#: Certificates of one chain.
MAX_CHAIN = 8

#: Limits of RSA keys in a token's certificate chain, in bits: checking a signature with
#: a larger key takes long, and the client is not authenticated yet.
MAX_MODULUS, MAX_EXPONENT = 8192, 32


def check_key(key: object) -> None:
    """Check that verifying a signature with a key takes little time.

    :raise ValueError: it may take long.
    """
    if isinstance(key, rsa.RSAPublicKey):
        exponent = key.public_numbers().e.bit_length()
        if key.key_size > MAX_MODULUS or exponent > MAX_EXPONENT:
            raise ValueError("an RSA key is too large")
    elif isinstance(key, dsa.DSAPublicKey):
        raise ValueError("DSA keys are not supported")


def check_chain(
    chain: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    moment: datetime,
) -> None:
    """Check that a chain leads from its first certificate to a trusted root.

    All certificates of the path must be valid at this moment, and all issuers must be
    allowed to issue. The certificates after the first may be in any order.

    :raise ValueError: there is no such path, or a certificate in it is not valid now.
    """
    current, rest = chain[0], list(chain[1:])
    for below in range(MAX_CHAIN):
        if not current.not_valid_before_utc <= moment <= current.not_valid_after_utc:
            raise ValueError("a certificate of the chain is not valid now")
        if current in roots:
            return
        issuer = _issuer(current, [*roots, *rest], below)
        if issuer is None:
            break
        current = issuer
    raise ValueError("the chain leads to no trusted root")


def _issuer(
    certificate: x509.Certificate, candidates: Sequence[x509.Certificate], below: int
) -> x509.Certificate | None:
    for candidate in candidates:
        try:
            certificate.verify_directly_issued_by(candidate)
        except (ValueError, TypeError, InvalidSignature):
            continue
        if candidate != certificate and _may_issue(candidate, below):
            return candidate
    return None


def _may_issue(certificate: x509.Certificate, below: int) -> bool:
    """Return whether a certificate may issue, with this many authorities below it.

    RFC 5280, 4.2.1.3 and 4.2.1.9.
    """
    constraints = _extension(certificate, x509.BasicConstraints)
    usage = _extension(certificate, x509.KeyUsage)
    if constraints is None or not constraints.ca:
        return False
    if usage is not None and not usage.key_cert_sign:
        return False
    return constraints.path_length is None or below <= constraints.path_length


def _extension(certificate: x509.Certificate, kind: type[_Kind]) -> _Kind | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def public_key(certificate: x509.Certificate) -> Key:
    """Return the public key of a certificate.

    :raise ValueError: its type is not supported.
    """
    pem = certificate.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    kinds = {"rsa": "RSA", "ec": "EC", "ed": "OKP"}
    name = type(certificate.public_key()).__name__.lower().removeprefix("_")
    kind = next((kinds[prefix] for prefix in kinds if name.startswith(prefix)), None)
    if kind is None:
        raise ValueError("a certificate has a key of an unsupported type")
    return import_key(pem, kind)  # type: ignore[call-overload, no-any-return]
