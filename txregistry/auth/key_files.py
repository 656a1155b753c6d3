"""Files of trusted keys: PEM bundles of certificates and JSON web key sets."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet
from twisted.logger import Logger

from txregistry.auth.chains import public_key
from txregistry.auth.keys import TrustedKeys
from txregistry.flow.watched import WatchedFile
from txregistry.spec.pem import certificates

#: A certificate and its key.
_CertifiedKey = tuple[x509.Certificate, Key]

_log = Logger(namespace="txregistry.auth.token")


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
            yield certificate, public_key(certificate)
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
    by_id: dict[str, Key] = {}
    by_thumbprint: dict[str, Key] = {}
    for key in _import_set(content).keys:
        by_id[key.thumbprint()] = by_thumbprint[key.thumbprint()] = key
        if key.kid:
            by_id[key.kid] = key
    return TrustedKeys(by_id, by_thumbprint)


def _import_set(content: bytes) -> KeySet:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError("is no JSON") from error
    try:
        return KeySet.import_key_set(document)
    except JoseError as error:
        raise ValueError(f"holds no usable keys: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("holds no usable keys") from error


def libtrust_id(certificate: x509.Certificate) -> str:
    """Return libtrust's key id: 240 bits of SHA-256 in base32, in groups of four."""
    spki = certificate.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    text = base64.b32encode(hashlib.sha256(spki).digest()[:30]).decode("ascii")
    return ":".join(text[index : index + 4] for index in range(0, len(text), 4))
