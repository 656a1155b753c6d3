"""Odd input of clients: refused with a reason, and nothing is logged."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.web.http.limits import LimitCase
from txregistry.auth.keys import TrustedKeys
from txregistry.spec import mediatypes
from txregistry.spec.errors import ManifestInvalid, NameInvalid
from txregistry.spec.manifest import lenient, parse
from txregistry.spec.manifest.push import PushPolicy
from txregistry.spec.nesting import MAX_DEPTH
from txregistry.spec.reference import RepositoryName
from txregistry.testing.house import TestHouse
from txregistry.web.http.connections import ChannelLimits

NOW = 1_700_000_000


def nested(depth: int) -> bytes:
    """Give a manifest with lists within one another, so many levels in all."""
    inner = "[" * (depth - 1) + "]" * (depth - 1)
    return b'{"schemaVersion": 2, "manifests": [], "x": %b}' % inner.encode()


def encoded(content: bytes) -> str:
    """Give base64url without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def schema1(protected: bytes, **header: Any) -> bytes:
    """Give a schema 1 document with a signature of a given header."""
    signature = {
        "header": {"alg": "ES256", **header},
        "signature": encoded(bytes(64)),
        "protected": encoded(protected),
    }
    document = {
        "schemaVersion": 1,
        "name": "a/b",
        "tag": "old",
        "fsLayers": [],
        "history": [],
        "signatures": [signature],
    }
    return json.dumps(document).encode()


def certificate(
    curve: ec.EllipticCurve,
    key: ec.EllipticCurvePrivateKey | None = None,
    public: rsa.RSAPublicKey | None = None,
) -> bytes:
    """Give a certificate with a key on some curve, signed by a key, or by its own.

    :param public: stands in it instead of the key.
    """
    own = ec.generate_private_key(curve)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    moment = datetime.fromtimestamp(NOW, UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public or (own if key is None else key).public_key())
        .serial_number(1)
        .not_valid_before(moment - timedelta(1))
        .not_valid_after(moment + timedelta(1))
        .add_extension(x509.BasicConstraints(True, None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier(b"12345678"), critical=False)
        .sign(own if key is None else key, SHA256())
    )
    return made.public_bytes(Encoding.DER)


def spoilt_curve() -> bytes:
    """Give a certificate whose key is on a curve that nobody knows."""
    known = certificate(ec.SECP256R1())
    name = bytes.fromhex("06082a8648ce3d030107")
    assert name in known
    return known.replace(name, bytes.fromhex("06082a8648ce3d03017f"))


class DepthTests(LimitCase):
    """How deep manifests are nested."""

    limits = ChannelLimits()

    def test_same_for_all(self) -> None:
        """What a push takes is served; what is not served was not taken."""
        for depth in (6, MAX_DEPTH, MAX_DEPTH + 1, 940, 946, 947, 948, 949, 100_000):
            content = nested(depth)
            headers = {"Content_Type": mediatypes.OCI_INDEX}
            path = f"/v2/a/b/manifests/d{depth}"
            put = self.house.send("PUT", path, content, **headers)
            got = self.house.send("GET", path, Accept=mediatypes.OCI_INDEX)
            expected = (201, 200) if depth <= MAX_DEPTH else (400, 404)
            self.assertEqual((put.status, got.status), expected, depth)

    def test_one_limit(self) -> None:
        """Pushes and what is stored are read to the same depth, wherever from."""
        for depth in (MAX_DEPTH + 1, 900, 100_000):
            for read in (parse.parse, lenient.read):
                self.assertRaises(ManifestInvalid, read, nested(depth))


class Schema1Tests(LimitCase):
    """Signatures of schema 1 that are none."""

    limits = ChannelLimits()

    def setUp(self) -> None:
        super().setUp()
        self.serve(policy=PushPolicy(schema1=True))

    def refused(self, content: bytes) -> None:
        kind = mediatypes.DOCKER_SCHEMA1_SIGNED
        got = self.house.send(
            "PUT", "/v2/a/b/manifests/old", content, Content_Type=kind
        )
        self.assertEqual(got.status, 400, got.body)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_nested_header(self) -> None:
        """A protected header that is nested without end is refused."""
        self.refused(schema1(b"[" * 100_000))
        self.refused(schema1(b'{"formatLength":' + b"[" * 200 + b"]" * 200 + b"}"))

    def test_odd_keys(self) -> None:
        """Keys that no library reads verify nothing."""
        good = b'{"formatLength": 10, "formatTail": "fQ"}'
        for der in (
            spoilt_curve(),
            certificate(ec.SECP192R1()),
            certificate(ec.BrainpoolP256R1()),
            b"",
            b"\x30",
        ):
            self.refused(schema1(good, x5c=[base64.b64encode(der).decode()]))
        for key in ({}, [], 1, {"kty": "EC", "crv": "P-0"}, {"kty": 7}):
            self.refused(schema1(good, jwk=key))
        self.refused(schema1(good, alg=5, x5c=["x"]))


class ChainTests(LimitCase):
    """Chains of certificates in a token."""

    def refused(self, *ders: bytes) -> None:
        chain = [base64.b64encode(der).decode() for der in ders]
        keys = TrustedKeys({}, {}, [x509.load_der_x509_certificate(ders[0])])
        self.assertRaises(ValueError, keys.key_for, {"x5c": chain}, float(NOW))

    def test_odd_curve(self) -> None:
        """A key on a curve that nobody knows is not trusted, and breaks nothing."""
        self.refused(spoilt_curve())

    def test_doubled_extension(self) -> None:
        """A certificate that has an extension twice issues nothing."""
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = certificate(ec.SECP256R1(), key)
        # One extension is given the name of the other.
        issuer = certificate(ec.SECP256R1(), key).replace(
            bytes.fromhex("0603551d0e"), bytes.fromhex("0603551d13")
        )
        keys = TrustedKeys({}, {}, [x509.load_der_x509_certificate(issuer)])
        chain = [base64.b64encode(der).decode() for der in (leaf, issuer)]
        with self.assertRaises(ValueError) as raised:
            keys.key_for({"x5c": chain}, float(NOW))
        self.assertIn("uplicate", str(raised.exception))

    def test_large_key(self) -> None:
        """No signature is checked by a key of RSA with which that takes long."""
        for bits, exponent in ((16384, 65537), (3072, 2**3071 + 1)):
            public = rsa.RSAPublicNumbers(exponent, 2**bits - 1).public_key()
            with self.assertRaises(ValueError) as raised:
                encoded = base64.b64encode(certificate(ec.SECP256R1(), public=public))
                TrustedKeys({}, {}).key_for({"x5c": [encoded.decode()]}, float(NOW))
            self.assertIn("too large", str(raised.exception))


class NameTests(LimitCase):
    """Names that no file system takes."""

    def test_long_host(self) -> None:
        """A host that is longer than a file's name may be is no part of a name."""
        label = "a" * 60
        host = ".".join([label] * 5)
        self.assertEqual(len(host), 304)
        self.assertRaises(NameInvalid, RepositoryName.parse, f"{host}:5000/b")
        self.assertEqual(TestHouse().send("GET", f"/v2/{host}/b/tags/list").status, 400)
        good = ".".join([label] * 4)
        self.assertEqual(str(RepositoryName.parse(f"{good}/b")), f"{good}/b")


class HeadTests(LimitCase):
    """Heads of HTTP/1.1 that are none."""

    def status(self, *lines: str) -> int:
        """Send a head; say what the answer is, and see that the connection ends."""
        line = self.line()
        line.send("\r\n".join([*lines, "", ""]).encode())
        (answer,) = line.answers()
        return answer.status

    def test_long_length(self) -> None:
        """A length of thousands of digits is answered, with 400."""
        for digits in (20, 5000):
            line = f"Content-Length: {'9' * digits}"
            post = "POST /v2/a/b/blobs/uploads/ HTTP/1.1"
            self.assertEqual(self.status(post, "Host: x", line), 400)
            self.assertEqual(self.status("GET /v2/ HTTP/1.1", "Host: x", line), 400)

    def test_hosts(self) -> None:
        """A request with two hosts, or none, is refused (RFC 9112, 3.2)."""
        get = "GET /v2/ HTTP/1.1"
        self.assertEqual(self.status(get), 400)
        self.assertEqual(self.status(get, "Host: a", "Host: b"), 400)
        self.assertEqual(self.status(get, "Host: a", "Host: a"), 400)
        self.assertEqual(self.status(get, "Host: a"), 200)
        self.assertEqual(self.status("GET /v2/ HTTP/1.0"), 200)

    def test_connection_of_two_hosts(self) -> None:
        """What comes after a request with two hosts is not read."""
        line = self.line()
        bad = b"GET /v2/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"
        line.send(bad + b"GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual([answer.status for answer in line.answers()], [400])

    def test_numbers(self) -> None:
        """Numbers of thousands of digits are no reason to fail, wherever they are."""
        nines = "9" * 5000
        for path, header in (
            (f"/v2/_catalog?n={nines}", ""),
            (f"/v2/a/b/tags/list?n={nines}", ""),
            ("/v2/", f"Range: bytes=0-{nines}"),
        ):
            lines = [f"GET {path} HTTP/1.1", "Host: x", *([header] if header else [])]
            self.assertIn(self.status(*lines) // 100, (2, 4))
        self.assertEqual(self.flushLoggedErrors(), [])
