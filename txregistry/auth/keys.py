"""Trusted keys for the signatures of tokens: certificates and JSON web keys."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from operator import is_
from typing import Any, TypeVar

import attrs
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import dsa, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet, import_key
from twisted.logger import Logger

from txregistry.flow.watched import WatchedFile
from txregistry.spec.pem import certificates
from txregistry.spec.signing import public_half

_Kind = TypeVar("_Kind", bound=x509.ExtensionType)

#: A certificate and its key.
_CertifiedKey = tuple[x509.Certificate, Key]

_log = Logger(namespace="txregistry.auth.token")

#: Certificates of one chain.
MAX_CHAIN = 8

#: Limits of RSA keys in a token's certificate chain, in bits: checking a signature with
#: a larger key takes long, and the client is not authenticated yet.
MAX_MODULUS, MAX_EXPONENT = 8192, 32


@attrs.define(eq=False)
class KeySource:
    """The trusted keys of several files, reloaded when one of them changes."""

    _files: Sequence[WatchedFile[TrustedKeys]]
    _parts: list[TrustedKeys] = attrs.field(factory=list)
    _merged: TrustedKeys | None = None

    def read(self) -> TrustedKeys:
        """Return the current keys; the same object while no file changes.

        :raise OSError: a file cannot be read.
        :raise ValueError: a file is invalid and was never valid.
        """
        parts = [file.read() for file in self._files]
        same = len(parts) == len(self._parts) and all(map(is_, parts, self._parts))
        if self._merged is None or not same:
            self._parts, self._merged = parts, parts[0]
            for part in parts[1:]:
                self._merged = self._merged.merged(part)
        return self._merged


@attrs.frozen
class TrustedKeys:
    """Trusted keys, and root certificates that may certify others.

    :ivar by_id: by each key id (``kid``); a key may have several.
    :ivar by_thumbprint: by the thumbprint of RFC 7638, which identifies key material.
    """

    by_id: Mapping[str, Key]
    by_thumbprint: Mapping[str, Key]
    roots: Sequence[x509.Certificate] = ()

    def merged(self, other: TrustedKeys) -> TrustedKeys:
        """Return the keys and roots of both."""
        return TrustedKeys(
            {**self.by_id, **other.by_id},
            {**self.by_thumbprint, **other.by_thumbprint},
            (*self.roots, *other.roots),
        )

    def key_for(self, header: Mapping[str, Any], now: float) -> Key:
        """Return the trusted key that a token's header refers to.

        An embedded key is looked up by its thumbprint: anyone can choose its ``kid``
        (CVE-2025-24976).

        :param now: seconds since the epoch.
        :raise ValueError: there is no such key, or it is not trusted.
        """
        if "x5c" in header:
            return self._key_of_chain(header["x5c"], now)
        if "jwk" in header:
            return self._embedded_key(header["jwk"], now)
        found = self.by_id.get(str(header.get("kid", "")))
        if found is None:
            raise ValueError("signed by an unknown key")
        return found

    def _embedded_key(self, fields: Any, now: float) -> Key:
        if not isinstance(fields, dict):
            raise ValueError("the embedded key is no object")
        key = _import(fields)
        if "x5c" in fields:
            certified = self._key_of_chain(fields["x5c"], now)
            if certified.thumbprint() != key.thumbprint():
                raise ValueError("the chain certifies another key")
            return certified
        found = self.by_thumbprint.get(key.thumbprint())
        if found is None:
            raise ValueError("signed by a key that is not trusted")
        return found

    def _key_of_chain(self, encoded: Any, now: float) -> Key:
        if not isinstance(encoded, list) or not 0 < len(encoded) <= MAX_CHAIN:
            raise ValueError("the chain of certificates is malformed")
        try:
            return self._certified_key(encoded, now)
        except Exception as error:
            # Odd curves and extensions raise various exceptions in the libraries.
            raise ValueError(f"the chain cannot be used: {error}") from error

    def _certified_key(self, encoded: list[Any], now: float) -> Key:
        chain = [
            x509.load_der_x509_certificate(base64.b64decode(str(part)))
            for part in encoded
        ]
        for certificate in chain:
            _check_key(certificate.public_key())
        moment = datetime.fromtimestamp(now, UTC)
        check_chain(chain, self.roots, moment)
        return _public(chain[0])


def _check_key(key: object) -> None:
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


def keys_of_bundle(content: bytes) -> TrustedKeys:
    """Parse the certificates of a PEM bundle; other blocks are skipped.

    :raise ValueError: there is no certificate, or one is malformed.
    """
    return _keys_of([*_certificates(content)])


def watch_bundle(path: str) -> WatchedFile[TrustedKeys]:
    """Return the keys of a PEM bundle, reloaded when it changes.

    After a change malformed certificates are skipped, with a warning: otherwise the old
    content would stay in effect, with certificates that were removed.
    """

    def salvage(content: bytes) -> TrustedKeys:
        def on_malformed(reason: str) -> None:
            _log.warn(
                "{path}: {reason}; it is skipped, the other certificates are trusted",
                path=path,
                reason=reason,
            )

        return _keys_of([*_certificates(content, on_malformed)])

    return WatchedFile(path, keys_of_bundle, salvage)


def _certificates(
    content: bytes, on_malformed: Callable[[str], None] | None = None
) -> Iterator[_CertifiedKey]:
    """Yield the certificates and their keys.

    :param on_malformed: called with the problem of each malformed certificate, which is
        then skipped; if ``None``, the first one raises ``ValueError``.
    """
    for number, part in enumerate(certificates(content), 1):
        try:
            certificate = _certificate(number, part)
            yield certificate, _public(certificate)
        except ValueError as error:
            if on_malformed is None:
                raise
            on_malformed(str(error))


def _keys_of(found: Sequence[_CertifiedKey]) -> TrustedKeys:
    if not found:
        raise ValueError("holds no certificate")
    by_id: dict[str, Key] = {}
    by_thumbprint: dict[str, Key] = {}
    for certificate, key in found:
        by_id[libtrust_id(certificate)] = key
        by_id[key.thumbprint()] = by_thumbprint[key.thumbprint()] = key
    return TrustedKeys(by_id, by_thumbprint, [certificate for certificate, _ in found])


def _certificate(number: int, part: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(part)
    except ValueError as error:
        raise ValueError(f"certificate {number} is malformed") from error


def keys_of_set(content: bytes) -> TrustedKeys:
    """Parse a JSON web key set (RFC 7517).

    :raise ValueError: it is malformed, or one of its keys is.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError("is no JSON") from error
    try:
        found = KeySet.import_key_set(document)
    except JoseError as error:
        raise ValueError(f"holds no usable keys: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("holds no usable keys") from error
    by_id: dict[str, Key] = {}
    by_thumbprint: dict[str, Key] = {}
    for key in found.keys:
        by_id[key.thumbprint()] = by_thumbprint[key.thumbprint()] = key
        if key.kid:
            by_id[key.kid] = key
    return TrustedKeys(by_id, by_thumbprint)


def libtrust_id(certificate: x509.Certificate) -> str:
    """Return libtrust's key id: 240 bits of SHA-256 in base32, in groups of four."""
    spki = certificate.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    text = base64.b32encode(hashlib.sha256(spki).digest()[:30]).decode("ascii")
    return ":".join(text[index : index + 4] for index in range(0, len(text), 4))


def _public(certificate: x509.Certificate) -> Key:
    pem = certificate.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    kinds = {"rsa": "RSA", "ec": "EC", "ed": "OKP"}
    name = type(certificate.public_key()).__name__.lower().removeprefix("_")
    kind = next((kinds[prefix] for prefix in kinds if name.startswith(prefix)), None)
    if kind is None:
        raise ValueError("a certificate has a key of an unsupported type")
    return import_key(pem, kind)  # type: ignore[call-overload, no-any-return]


def _import(fields: dict[str, Any]) -> Key:
    try:
        return import_key(public_half(fields))
    except (JoseError, KeyError, TypeError) as error:
        raise ValueError("the key is malformed") from error
