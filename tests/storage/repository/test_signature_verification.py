"""Signatures of schema 1, and the keys that they name."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from twisted.trial.unittest import SynchronousTestCase

from tests.auth.keys import chain_of, ec_key, jwk, number, rsa_key, x5c
from tests.storage.repository.test_signatures import (
    CURVES,
    document,
    payload,
    signature_of,
)
from txregistry.spec.errors import ManifestUnverified
from txregistry.spec.manifest.parse import parse
from txregistry.storage.repository.signature_verification import (
    MAX_SIGNATURES,
    verify_signatures,
)


class VerificationTests(SynchronousTestCase):
    """What verifies, and what does not."""

    def setUp(self) -> None:
        self.payload = payload()

    def signed(self, *keys: Any) -> bytes:
        found = [signature_of(self.payload, key) for key in keys]
        return document(self.payload, *found)

    def verify(self, content: bytes) -> None:
        verify_signatures(parse(content))

    def refused(self, content: bytes) -> str:
        error = self.assertRaises(ManifestUnverified, self.verify, content)
        return str(error)

    def test_kinds_of_keys(self) -> None:
        """Elliptic curves of each size, RSA, and a certificate for a key."""
        for key in (rsa_key(), *(ec.generate_private_key(c()) for c in CURVES)):
            self.verify(self.signed(key))
        _, leaf = chain_of(1)
        chained = signature_of(self.payload, leaf.key, x5c=x5c([leaf]))
        self.verify(document(self.payload, chained))

    def test_private_half(self) -> None:
        """The private half of a key is not looked at, as that can take hours."""
        odd = {**jwk(rsa_key()), "d": number(2**2047 + 12345)}
        signature = signature_of(self.payload, rsa_key(), jwk=odd)
        self.verify(document(self.payload, signature))

    def test_signed_by_another_key(self) -> None:
        """A signature of another key than it names does not verify."""
        wrong = signature_of(self.payload, ec_key(0), jwk=jwk(ec_key(1)))
        self.refused(document(self.payload, wrong))

    def test_one_of_two_is_wrong(self) -> None:
        """Every signature has to be one."""
        right = signature_of(self.payload, ec_key(0))
        wrong = {**signature_of(self.payload, ec_key(1)), "signature": "AAAA"}
        self.refused(document(self.payload, right, wrong))

    def test_malformed(self) -> None:
        """What is no signature at all, and algorithms that prove nothing."""
        right = signature_of(self.payload, ec_key())
        for changes in (
            {"header": {"alg": "none", "jwk": jwk(ec_key())}},
            {"header": {"alg": "HS256", "jwk": {"kty": "oct", "k": "AAAA"}}},
            {"header": {"alg": "ES256"}},
            {"header": {"alg": "ES256", "x5c": ["AAAA"]}},
            {"header": 5},
            {"signature": 5},
        ):
            self.refused(document(self.payload, {**right, **changes}))

    def test_too_many(self) -> None:
        """Each costs a public key operation, so that there is a limit."""
        one = signature_of(self.payload, ec_key())
        self.refused(document(self.payload, *[one] * (MAX_SIGNATURES + 1)))

    def test_most(self) -> None:
        """As many as are checked verify together."""
        one = signature_of(self.payload, ec_key())
        self.verify(document(self.payload, *[one] * MAX_SIGNATURES))

    def test_unsigned(self) -> None:
        """A document without signatures is not one that verifies."""
        for content in (self.payload, document(self.payload)):
            self.assertIn("not signed", self.refused(content))

    def test_tampered(self) -> None:
        """A document that is not what was signed does not verify."""
        self.refused(self.signed(ec_key()).replace(b"amd64", b"arm64"))
