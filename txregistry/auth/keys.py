"""Whom a token server's signatures are believed: certificates and JSON web keys."""

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
_Certified = tuple[x509.Certificate, Key]

_log = Logger(namespace="txregistry.auth.token")

#: Certificates of one chain.
MAX_CHAIN = 8

#: Of keys of RSA that a chain brings along, in bits: to check a signature by a larger
#: one takes long, and whoever sends a chain has not said yet who he is.
MAX_MODULUS, MAX_EXPONENT = 8192, 32


@attrs.define(eq=False)
class KeySource:
    """The keys of several files, the same value as long as none of them changes."""

    _files: Sequence[WatchedFile[TrustedKeys]]
    _parts: list[TrustedKeys] = attrs.field(factory=list)
    _joined: TrustedKeys | None = None

    def read(self) -> TrustedKeys:
        """Give the keys of the moment.

        :raise OSError: a file cannot be read.
        :raise ValueError: a file never held usable keys.
        """
        parts = [file.read() for file in self._files]
        same = len(parts) == len(self._parts) and all(map(is_, parts, self._parts))
        if self._joined is None or not same:
            self._parts, self._joined = parts, parts[0]
            for part in parts[1:]:
                self._joined = self._joined.joined(part)
        return self._joined


@attrs.frozen
class TrustedKeys:
    """Keys that are trusted for themselves, and roots that vouch for others.

    :ivar by_id: by each name that a key has.
    :ivar by_thumbprint: by RFC 7638, which is the key material itself.
    """

    by_id: Mapping[str, Key]
    by_thumbprint: Mapping[str, Key]
    roots: Sequence[x509.Certificate] = ()

    def joined(self, other: TrustedKeys) -> TrustedKeys:
        """Give both together."""
        return TrustedKeys(
            {**self.by_id, **other.by_id},
            {**self.by_thumbprint, **other.by_thumbprint},
            (*self.roots, *other.roots),
        )

    def of_header(self, header: Mapping[str, Any], now: float) -> Key:
        """Give the key that a token's header means, if it is trusted.

        A key that the token brings along is compared by its material: its name proves
        nothing (CVE-2025-24976).

        :raise ValueError: it is not.
        """
        if "x5c" in header:
            return self._of_chain(header["x5c"], now)
        if "jwk" in header:
            return self._of_embedded(header["jwk"], now)
        found = self.by_id.get(str(header.get("kid", "")))
        if found is None:
            raise ValueError("signed by a key that is not known")
        return found

    def _of_embedded(self, fields: Any, now: float) -> Key:
        if not isinstance(fields, dict):
            raise ValueError("the key is no object")
        key = _import(fields)
        if "x5c" in fields:
            vouched = self._of_chain(fields["x5c"], now)
            if vouched.thumbprint() != key.thumbprint():
                raise ValueError("the chain vouches for another key")
            return vouched
        found = self.by_thumbprint.get(key.thumbprint())
        if found is None:
            raise ValueError("signed by a key that is not trusted")
        return found

    def _of_chain(self, encoded: Any, now: float) -> Key:
        if not isinstance(encoded, list) or not 0 < len(encoded) <= MAX_CHAIN:
            raise ValueError("the chain of certificates is malformed")
        try:
            return self._of_certificates(encoded, now)
        except Exception as error:
            # The libraries fail in ways of their own over odd curves and extensions.
            raise ValueError(f"the chain cannot be used: {error}") from error

    def _of_certificates(self, encoded: list[Any], now: float) -> Key:
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
    """Pass if signatures by a key are checked in a moment.

    :raise ValueError: they may not be.
    """
    if isinstance(key, rsa.RSAPublicKey):
        exponent = key.public_numbers().e.bit_length()
        if key.key_size > MAX_MODULUS or exponent > MAX_EXPONENT:
            raise ValueError("a key of RSA is too large")
    elif isinstance(key, dsa.DSAPublicKey):
        raise ValueError("a key is of DSA")


def check_chain(
    chain: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    moment: datetime,
) -> None:
    """Check that a chain leads from its first certificate to a root.

    Each certificate is valid at the moment, issued by the next one, and whatever issues
    may do so. The order after the first is the server's to choose.

    :raise ValueError: it does not.
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
    """Tell if one is an authority with this many others below it (RFC 5280, 4.2.1)."""
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
    """Read the certificates of a PEM bundle; other blocks are passed over.

    :raise ValueError: there is none, or one is malformed.
    """
    return _keys_of([*_certificates(content)])


def watch_bundle(path: str) -> WatchedFile[TrustedKeys]:
    """Give the keys of a PEM bundle.

    When it has changed, the good certificates count, and the log tells of others: one
    that is damaged does not keep another in that was taken out.
    """

    def salvage(content: bytes) -> TrustedKeys:
        def tell(reason: str) -> None:
            _log.warn("{path}: is trusted but for {reason}", path=path, reason=reason)

        return _keys_of([*_certificates(content, tell)])

    return WatchedFile(path, keys_of_bundle, salvage)


def _certificates(
    content: bytes, tell: Callable[[str], None] | None = None
) -> Iterator[_Certified]:
    """Read the certificates one by one.

    :param tell: is told of each that is malformed; without it they raise.
    """
    for number, part in enumerate(certificates(content), 1):
        try:
            certificate = _certificate(number, part)
            yield certificate, _public(certificate)
        except ValueError as error:
            if tell is None:
                raise
            tell(str(error))


def _keys_of(found: Sequence[_Certified]) -> TrustedKeys:
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
    """Read a JSON web key set (RFC 7517).

    :raise ValueError: it is none, or holds a key that cannot be used.
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
    """Give the id that libtrust gives a public key: 240 bits in groups of four."""
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
        raise ValueError("a certificate has a key of an unknown kind")
    return import_key(pem, kind)  # type: ignore[call-overload, no-any-return]


def _import(fields: dict[str, Any]) -> Key:
    try:
        return import_key(public_half(fields))
    except (JoseError, KeyError, TypeError) as error:
        raise ValueError("the key is malformed") from error
