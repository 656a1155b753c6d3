"""Signatures of CloudFront."""

from __future__ import annotations

import base64
from functools import cache
from urllib.parse import parse_qs, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from twisted.trial.unittest import SynchronousTestCase

from txregistry.middleware.signing import Signer, canned_policy

#: The canned policy of the example in the developer guide, to the byte.
URL = "http://d604721fxaaqy9.cloudfront.net/horizon.jpg?large=yes&license=yes"
POLICY = (
    b'{"Statement":[{"Resource":"http://d604721fxaaqy9.cloudfront.net/horizon.jpg'
    b'?large=yes&license=yes","Condition":{"DateLessThan":{"AWS:EpochTime":1258237200'
    b"}}}]}"
)


@cache
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def pem(form: PrivateFormat = PrivateFormat.PKCS8, password: bytes = b"") -> bytes:
    how = BestAvailableEncryption(password) if password else NoEncryption()
    return private_key().private_bytes(Encoding.PEM, form, how)


def verify(url: str) -> tuple[str, int, str]:
    """Give the URL that was signed, its end, and the pair; as CloudFront looks at it.

    :raise InvalidSignature: it is another one's, or of something else.
    """
    bare, _, query = url.rpartition("Expires=")
    fields = parse_qs(f"Expires={query}", strict_parsing=True)
    bare, ends_at = bare[:-1], int(fields["Expires"][0])
    signature = fields["Signature"][0].translate(str.maketrans("-_~", "+=/"))
    signed = base64.b64decode(signature, validate=True)
    policy = canned_policy(bare, ends_at)
    public = private_key().public_key()
    public.verify(signed, policy, padding.PKCS1v15(), hashes.SHA1())
    return bare, ends_at, fields["Key-Pair-Id"][0]


class SignerTests(SynchronousTestCase):
    """A pair of keys."""

    def test_policy(self) -> None:
        """It is that of the developer guide."""
        self.assertEqual(canned_policy(URL, 1258237200), POLICY)

    def test_signed(self) -> None:
        """The public key verifies the URL, with a query and without."""
        signer = Signer.load(pem(), "PK123")
        for bare in (URL, "https://cdn.example/docker/x"):
            url = signer.sign(bare, 1258237200)
            self.assertEqual(verify(url), (bare, 1258237200, "PK123"))
            self.assertEqual(url.count("?"), 1)
            self.assertNotIn("+", urlsplit(url).query)

    def test_changed(self) -> None:
        """Another path or another end is not what was signed."""
        url = Signer.load(pem(), "PK123").sign("https://cdn.example/a", 1000)
        for changed in (url.replace("/a", "/b"), url.replace("=1000", "=2000")):
            self.assertRaises(InvalidSignature, verify, changed)

    def test_forms(self) -> None:
        """Keys are in either form of PEM."""
        for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL):
            verify(Signer.load(pem(form), "x").sign("https://a/", 1))

    def test_refused(self) -> None:
        """Anything else is told."""
        other = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        for content in (b"", b"nonsense", pem(password=b"x"), other):
            self.assertRaises(ValueError, Signer.load, content, "x")
