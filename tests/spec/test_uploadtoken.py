"""The sealed state of an upload."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.errors import BlobUploadInvalid
from txregistry.spec.reference import RepositoryName
from txregistry.spec.uploadtoken import UploadState, seal, unseal

SECRET = b"topsecret"


NAME = RepositoryName("a/b")


UPLOAD = "7a3bb1a8-5c1e-4bd0-8ddb-d1b5ac5b4a34"


DOCUMENT = (
    b'{"Name":"a/b","UUID":"7a3bb1a8-5c1e-4bd0-8ddb-d1b5ac5b4a34",'
    b'"Offset":1234,"StartedAt":"2026-01-02T03:04:05Z"}'
)


STATE = UploadState(NAME, UPLOAD, 1234, "2026-01-02T03:04:05Z")


def sealed(document: bytes, secret: bytes = SECRET) -> str:
    """Seal by hand: base64url(HMAC-SHA256(secret, document) || document)."""
    mac = hmac.new(secret, document, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(mac + document).decode("ascii")


class UploadTokenTests(SynchronousTestCase):
    """The state in the URL of an upload."""

    def refused(self, token: str, name: str = "a/b", upload_id: str = UPLOAD) -> None:
        with self.assertRaises(BlobUploadInvalid) as caught:
            unseal(token, SECRET, RepositoryName(name), upload_id)
        self.assertEqual(caught.exception.status, 404)

    def test_golden(self) -> None:
        """A state is sealed to the byte as the Go registry does it."""
        self.assertEqual(seal(STATE, SECRET), sealed(DOCUMENT))
        mac = base64.urlsafe_b64decode(seal(STATE, SECRET))[:32]
        # From: openssl dgst -sha256 -hmac topsecret
        wanted = "5b79adbaa6157eace6f106d5b8bfdb9330f6f8e702e9a876eb0189f895698c9b"
        self.assertEqual(mac.hex(), wanted)
        self.assertEqual(unseal(sealed(DOCUMENT), SECRET, NAME, UPLOAD), STATE)

    def test_others_write_it_otherwise(self) -> None:
        """Order, spaces, fractions of a second and more fields do not matter."""
        fields = json.loads(DOCUMENT)
        for document in (
            json.dumps(fields).encode(),
            json.dumps(fields, indent=2, sort_keys=True).encode(),
            json.dumps({**fields, "New": [1]}).encode(),
        ):
            self.assertEqual(unseal(sealed(document), SECRET, NAME, UPLOAD), STATE)
        started = "2026-01-02T03:04:05.123456789Z"
        document = json.dumps({**fields, "StartedAt": started}).encode()
        found = unseal(sealed(document), SECRET, NAME, UPLOAD)
        self.assertEqual(found.started_at, started)

    def test_padding(self) -> None:
        """A client that lost the padding is understood."""
        for offset in (1, 12, 123, 1234):
            state = UploadState(NAME, UPLOAD, offset, "2026-01-02T03:04:05Z")
            token = seal(state, SECRET).rstrip("=")
            self.assertEqual(unseal(token, SECRET, NAME, UPLOAD), state)

    def test_other_secret(self) -> None:
        """A state that somebody else has sealed is refused."""
        self.refused(sealed(DOCUMENT, b"other"))
        self.refused(sealed(DOCUMENT, b""))

    def test_other_upload(self) -> None:
        """A state is good for its own upload in its own repository only."""
        token = sealed(DOCUMENT)
        self.refused(token, name="a")
        self.refused(token, name="a/b/c")
        self.refused(token, upload_id="7a3bb1a8-5c1e-4bd0-8ddb-d1b5ac5b4a35")
        self.refused(token, upload_id=UPLOAD[:-1])

    def test_every_bit(self) -> None:
        """A state of which one bit is wrong is refused."""
        whole = base64.urlsafe_b64decode(sealed(DOCUMENT))
        for place in range(len(whole) * 8):
            changed = bytearray(whole)
            changed[place // 8] ^= 1 << place % 8
            self.refused(base64.urlsafe_b64encode(bytes(changed)).decode())

    def test_no_state(self) -> None:
        """What is none is refused, whatever it is."""
        whole = sealed(DOCUMENT)
        for token in (
            "",
            "=",
            "====",
            "a",
            "!",
            "é",
            "\x00",
            "null",
            "e30",
            whole[:43],
        ):
            self.refused(token)
        for length in range(0, len(whole), 3):
            self.refused(whole[:length])

    def test_sealed_nonsense(self) -> None:
        """Even what carries our seal is read with care."""
        fields = json.loads(DOCUMENT)
        for document in (
            b"",
            b"{}",
            b"null",
            b"[]",
            b"1",
            b"\xff",
            b"[" * 100_000,
            json.dumps({**fields, "Offset": "x"}).encode(),
            json.dumps({**fields, "Offset": None}).encode(),
            json.dumps({**fields, "Offset": [1]}).encode(),
            json.dumps({**fields, "Offset": float("inf")}).encode(),
            json.dumps({**fields, "Offset": float("nan")}).encode(),
            json.dumps({**fields, "Name": None}).encode(),
            json.dumps({**fields, "UUID": 7}).encode(),
            *(
                json.dumps({k: v for k, v in fields.items() if k != name}).encode()
                for name in fields
            ),
        ):
            self.refused(sealed(document))

    @settings(deadline=None)
    @given(
        st.integers(0, 2**63), st.binary(min_size=1), st.sampled_from(["a", "b/c-d"])
    )
    def test_round_trip(self, offset: int, secret: bytes, name: str) -> None:
        """What is sealed is unsealed, and can stand in a URL as it is."""
        state = UploadState(RepositoryName(name), UPLOAD, offset, "x")
        token = seal(state, secret)
        self.assertRegex(token, r"\A[A-Za-z0-9_=-]+\Z")
        found = unseal(token, secret, RepositoryName(name), UPLOAD)
        self.assertEqual(found, state)
