"""Trusted keys for the signatures of tokens."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from operator import is_
from typing import Any

import attrs
from cryptography import x509
from joserfc.errors import JoseError
from joserfc.jwk import Key, import_key

from txregistry.auth.chains import MAX_CHAIN, check_chain, check_key, public_key
from txregistry.flow.watched import WatchedFile
from txregistry.spec.signing import public_half


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
            check_key(certificate.public_key())
        moment = datetime.fromtimestamp(now, UTC)
        check_chain(chain, self.roots, moment)
        return public_key(chain[0])


def _import(fields: dict[str, Any]) -> Key:
    try:
        return import_key(public_half(fields))
    except (JoseError, KeyError, TypeError) as error:
        raise ValueError("the key is malformed") from error
