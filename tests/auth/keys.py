"""Keys, certificates and signed tokens, made without the code under test."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.asymmetric.types import (
    CertificateIssuerPrivateKeyTypes,
)
from cryptography.x509.oid import NameOID

#: Certificates are good on the clock of a test house and on that of the machine.
BEGIN, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)

PrivateKey = CertificateIssuerPrivateKeyTypes

_HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}


@cache
def rsa_key(number: int = 0) -> rsa.RSAPrivateKey:
    """Give one of several RSA keys; each is made once, as that takes time."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def ec_key(number: int = 0) -> ec.EllipticCurvePrivateKey:
    """Give one of several keys on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


@attrs.frozen(eq=False)
class Identity:
    """A certificate, its key, and who issued it."""

    key: Any
    certificate: x509.Certificate
    issuer: Identity | None = None

    @property
    def pem(self) -> bytes:
        """Give the certificate as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """Give the key as PEM."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def write(self, directory: Path, name: str) -> tuple[str, str]:
        """Write certificate and key; give both paths."""
        paths = directory / f"{name}.crt", directory / f"{name}.key"
        paths[0].write_bytes(self.pem)
        paths[1].write_bytes(self.key_pem)
        return str(paths[0]), str(paths[1])

    def chain(self) -> list[Identity]:
        """Give this one and its issuers, without the root unless it is this one."""
        found, current = [self], self.issuer
        while current is not None and current.issuer is not None:
            found.append(current)
            current = current.issuer
        return found


def identity(
    name: str,
    key: Any,
    issuer: Identity | None = None,
    may_issue: bool = False,
    hosts: Sequence[str] = (),
    begin: datetime = BEGIN,
    end: datetime = END,
    path_length: int | None = None,
    usage: x509.KeyUsage | None = None,
) -> Identity:
    """Make a certificate, signed by its issuer or by itself."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(may_issue, path_length), critical=True)
    )
    if usage is not None:
        builder = builder.add_extension(usage, critical=True)
    if hosts:
        names = [_general_name(host) for host in hosts]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
    signer = key if issuer is None else issuer.key
    # OpenSSL looks for both of them since Python 3.13.
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    of_signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    builder = builder.add_extension(own, False).add_extension(of_signer, False)
    method = (
        None if isinstance(signer, ed25519.Ed25519PrivateKey) else (hashes.SHA256())
    )
    return Identity(key, builder.sign(signer, method), issuer)


def authority(name: str, key: Any, issuer: Identity | None = None) -> Identity:
    """Make a certificate that signs others, as clients of TLS take it.

    Without its usage OpenSSL takes none since Python 3.13.
    """
    return identity(name, key, issuer, True, usage=key_usage(signs_certificates=True))


def key_usage(signs_certificates: bool) -> x509.KeyUsage:
    """Say what the key of a certificate is for: signing, and perhaps certificates."""
    others = ("content_commitment", "key_encipherment", "data_encipherment")
    more = ("key_agreement", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        **dict.fromkeys((*others, *more), False),
    )


def _general_name(host: str) -> x509.GeneralName:
    import ipaddress

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def chain_of(depth: int, **changes: Any) -> tuple[Identity, Identity]:
    """Make a root and a leaf that many steps below it; at depth 0 they are one."""
    root = current = identity("root", ec_key(100), None, True)
    for step in range(1, depth + 1):
        is_leaf = step == depth
        given = changes if is_leaf else {}
        current = identity(
            f"step {step}", ec_key(100 + step), current, not is_leaf, **given
        )
    return root, current


def x5c(chain: Sequence[Identity]) -> list[str]:
    """Write a chain as a token's header has it (RFC 7515, 4.1.6)."""
    der = serialization.Encoding.DER
    return [
        base64.b64encode(link.certificate.public_bytes(der)).decode() for link in chain
    ]


def b64(content: bytes) -> str:
    """Write base64url without padding (RFC 7515, 2)."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def number(value: int, size: int = 0) -> str:
    """Write a whole number (RFC 7518, 2)."""
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def jwk(key: Any) -> dict[str, str]:
    """Write the public half of a key as a JSON web key."""
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        return {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
    if isinstance(public, ec.EllipticCurvePublicKey):
        point, size = public.public_numbers(), (public.curve.key_size + 7) // 8
        x, y = number(point.x, size), number(point.y, size)
        return {"kty": "EC", "crv": f"P-{public.key_size}", "x": x, "y": y}
    raw = public.public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )
    return {"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}


def thumbprint(fields: Mapping[str, str]) -> str:
    """Give a key's RFC 7638 thumbprint."""
    names = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y")}
    wanted = names.get(fields["kty"], ("crv", "kty", "x"))
    text = json.dumps({name: fields[name] for name in wanted}, separators=(",", ":"))
    return b64(hashlib.sha256(text.encode()).digest())


def spki(key: Any) -> bytes:
    """Give the public half as distribution's libtrust hashes it."""
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def public_pem(key: Any) -> bytes:
    """Give the public half as PEM."""
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def libtrust(key: Any) -> str:
    """Give the id by which libtrust knows a key."""
    text = base64.b32encode(hashlib.sha256(spki(key)).digest()[:30]).decode()
    return ":".join(text[index : index + 4] for index in range(0, len(text), 4))


def algorithm_of(key: Any) -> str:
    """Say how a key signs unless told otherwise."""
    if isinstance(key, bytes):
        return "HS256"
    if isinstance(key, rsa.RSAPrivateKey):
        return "RS256"
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return {256: "ES256", 384: "ES384", 521: "ES512"}[key.key_size]
    return "EdDSA"


def sign(key: Any, claims: Mapping[str, Any], **header: Any) -> str:
    """Write a compact token (RFC 7515, 3.1).

    :param key: private, or the bytes of a secret, or ``None`` to sign nothing.
    """
    algorithm = header.setdefault("alg", algorithm_of(key))
    signed = f"{_part({'typ': 'JWT', **header})}.{_part(claims)}".encode()
    return f"{signed.decode()}.{b64(signature(key, algorithm, signed))}"


def signature(key: Any, algorithm: str, signed: bytes) -> bytes:
    """Sign as RFC 7518 has it; without a key there is no signature."""
    if key is None:
        return b""
    if isinstance(key, bytes):
        return hmac.digest(key, signed, f"sha{algorithm[2:]}")
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(signed)
    hashed = _HASHES[algorithm[2:]]
    if isinstance(key, ec.EllipticCurvePrivateKey):
        size = (key.key_size + 7) // 8
        r, s = utils.decode_dss_signature(key.sign(signed, ec.ECDSA(hashed)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    if algorithm.startswith("PS"):
        how: Any = padding.PSS(padding.MGF1(hashed), padding.PSS.DIGEST_LENGTH)
    else:
        how = padding.PKCS1v15()
    return key.sign(signed, how, hashed)


def _part(value: Mapping[str, Any]) -> str:
    return b64(json.dumps(value).encode())
