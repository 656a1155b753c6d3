"""What pushing needs to know: where we are, what a chunk is, what a state says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.chunks import Chunk, check_chunk, parse_chunk
from txregistry.spec.errors import BlobUploadInvalid, SizeInvalid, Unsupported
from txregistry.spec.forwarded import client_base, parse_forwarded
from txregistry.spec.gate import Change, Gate
from txregistry.spec.reference import RepositoryName
from txregistry.spec.uploadtoken import UploadState, seal, unseal

#: What an own request has when nothing says otherwise.
OWN = ("http", "own.example:5000")

#: A name, then Forwarded, X-Forwarded-Proto, X-Forwarded-Host, and what is expected.
BASES = (
    ("nothing", "", "", "", "http", "own.example:5000"),
    ("proto", "", "https", "", "https", "own.example:5000"),
    ("proto in upper case", "", "HTTPS", "", "https", "own.example:5000"),
    ("proto of a list", "", "https, http", "", "https", "own.example:5000"),
    ("proto with spaces", "", "  https  ", "", "https", "own.example:5000"),
    ("proto that is none", "", "gopher", "", "http", "own.example:5000"),
    ("host", "", "", "first.example", "http", "first.example"),
    ("host and port", "", "", "first.example:81", "http", "first.example:81"),
    ("host of a list", "", "", "a.example, b.example", "http", "a.example"),
    ("host with spaces", "", "", "  a.example  , b", "http", "a.example"),
    ("IPv4", "", "", "192.0.2.1:80", "http", "192.0.2.1:80"),
    ("IPv6", "", "", "[2001:db8::1]:81", "http", "[2001:db8::1]:81"),
    ("host that is none", "", "", "a.example/x", "http", "own.example:5000"),
    ("proto and host", "", "https", "a.example", "https", "a.example"),
    ("forwarded host", "host=a.example", "", "", "http", "a.example"),
    ("forwarded proto", "proto=https", "", "", "https", "own.example:5000"),
    ("forwarded both", "proto=https;host=a.example", "", "", "https", "a.example"),
    ("the other way round", "host=a.example;proto=https", "", "", "https", "a.example"),
    ("names in any case", "HOST=a.example;Proto=https", "", "", "https", "a.example"),
    ("value in upper case", "proto=HTTPS", "", "", "https", "own.example:5000"),
    ("quoted", 'host="a.example:81";proto="https"', "", "", "https", "a.example:81"),
    ("quoted and escaped", r'host="a\.example"', "", "", "http", "a.example"),
    ("quoted IPv6", 'host="[2001:db8::1]:81"', "", "", "http", "[2001:db8::1]:81"),
    ("other pairs", 'for=1.2.3.4;by="x";host=a.example', "", "", "http", "a.example"),
    ("only others", "for=1.2.3.4", "", "", "http", "own.example:5000"),
    ("first of a list", "host=a.example,host=b.example", "", "", "http", "a.example"),
    ("spaces", " host=a.example ; proto=https ", "", "", "https", "a.example"),
    ("before the others", "host=a.example", "https", "b.example", "http", "a.example"),
    ("scheme before", "proto=http", "https", "b.example", "http", "own.example:5000"),
    ("whom for", "for=x", "https", "b.example", "https", "b.example"),
    ("whom for and by", 'for=x;by="_y"', "https", "b.example", "https", "b.example"),
    ("later element", "for=x, host=a", "https", "b.example", "https", "b.example"),
    ("malformed", "host=", "https", "b.example", "https", "b.example"),
    ("a name twice", "host=a;host=b", "https", "b.example", "https", "b.example"),
    ("bare words", "a.example", "https", "b.example", "https", "b.example"),
)


class ForwardedTests(SynchronousTestCase):
    """Where a client thinks it is."""

    def test_bases(self) -> None:
        """Forwarded comes first, then the X- headers, then what we know ourselves."""
        self.assertEqual(len(BASES), 35)
        for name, forwarded, proto, host, *wanted in BASES:
            found = client_base(forwarded, proto, host, *OWN)
            self.assertEqual(found, tuple(wanted), name)

    def test_own_host(self) -> None:
        """Without a usable host of our own there is none, rather than a bad one."""
        for own in (
            "",
            "a b",
            "a/b",
            "a\r\nX: y",
            "a@b",
            "é.example",
            "<x>",
            "a" * 256,
        ):
            self.assertEqual(client_base("", "", "", "http", own), ("http", ""))
        for own in ("a", "a:1", "[::1]:5000", "127.0.0.1", "A.example", "a_b"):
            self.assertEqual(client_base("", "", "", "https", own), ("https", own))

    def test_pairs(self) -> None:
        """Pairs are read as RFC 7239 has them."""
        for header, wanted in (
            ("", {}),
            (" \t", {}),
            ("a=b", {"a": "b"}),
            ("A=B", {"a": "B"}),
            ("a=b;c=d", {"a": "b", "c": "d"}),
            ("a=b;", {"a": "b"}),
            (";;a=b;;c=d;;", {"a": "b", "c": "d"}),
            ('a=""', {"a": ""}),
            ('a="b;c,d"', {"a": "b;c,d"}),
            (r'a="b\"c\\d"', {"a": 'b"c\\d'}),
            ("a=b,c=d", {"a": "b"}),
            ("a=b , c", {"a": "b"}),
            (",a=b", {}),
            ("a=!#$%&'*+.^_`|~", {"a": "!#$%&'*+.^_`|~"}),
        ):
            self.assertEqual(parse_forwarded(header), wanted, header)

    def test_malformed(self) -> None:
        """What is malformed is not guessed at."""
        for header in (
            "a",
            "a=",
            "=b",
            "=",
            "a=b;c",
            "a=b;a=c",
            "a=b;A=c",
            'a="b',
            'a="b\\',
            'a="b"c',
            'a=b"c"',
            "a b=c",
            "a =b",
            "a= b",
            "a=b c=d",
            "a=[::1]",
            "a=é",
            "é=a",
            "a=b:1",
        ):
            self.assertIsNone(parse_forwarded(header), header)

    @settings(deadline=None)
    @given(st.text(max_size=80), st.text(max_size=20), st.text(max_size=20), st.text())
    def test_anything(self, forwarded: str, proto: str, host: str, own: str) -> None:
        """Whatever is sent, what comes out can stand in a URL."""
        scheme, found = client_base(forwarded, proto, host, "http", own)
        self.assertIn(scheme, ("http", "https"))
        self.assertRegex(found, r"\A[A-Za-z0-9._:\[\]-]*\Z")

    def test_long_headers(self) -> None:
        """Reading takes a time that grows with the length, and no faster."""
        for header in (
            'a="' + "\\" * 100_000,
            "a" * 100_000,
            "a=" + "b" * 100_000 + '"',
            ";" * 100_000 + "=",
            " " * 100_000 + "a",
        ):
            self.assertIsNone(parse_forwarded(header))


class ChunkTests(SynchronousTestCase):
    """``Content-Range`` of an upload."""

    def test_forms(self) -> None:
        """With and without a unit, and with a total, the same is meant."""
        for header, wanted in (
            ("", None),
            ("0-0", Chunk(0, 1)),
            ("0-9", Chunk(0, 10)),
            ("10-19", Chunk(10, 20)),
            (" 10-19 ", Chunk(10, 20)),
            ("bytes 10-19", Chunk(10, 20)),
            ("bytes=10-19", Chunk(10, 20)),
            ("bytes 10-19/20", Chunk(10, 20)),
            ("bytes 10-19/*", Chunk(10, 20)),
            ("010-019", Chunk(10, 20)),
            (f"0-{10**18}", Chunk(0, 10**18 + 1)),
        ):
            self.assertEqual(parse_chunk(header), wanted, header)

    def test_malformed(self) -> None:
        """What is none is refused, rather than taken for none at all."""
        for header in (
            " ",
            "-",
            "1-",
            "-1",
            "1-0",
            "a-b",
            "0-9-",
            "0 - 9",
            "+0-9",
            "-1-9",
            "0-9/",
            "0-9/a",
            "0-9,10-19",
            "0x0-0x9",
            "٠-٩",
            "octets 0-9",
            "bytes  0-9",
            "bytes */10",
            "0-" + "9" * 20,
            "1_0-2_0",
        ):
            with self.assertRaises(SizeInvalid, msg=header):
                parse_chunk(header)

    def test_length(self) -> None:
        """What is announced has to be as long as the chunk, if both are known."""
        for chunk, length in ((None, None), (None, 5), (Chunk(5, 8), None)):
            check_chunk(chunk, length)
        check_chunk(Chunk(5, 8), 3)
        for length in (0, 2, 4, 8):
            with self.assertRaises(SizeInvalid):
                check_chunk(Chunk(5, 8), length)

    @given(st.integers(0, 10**18), st.integers(0, 10**6))
    def test_any(self, start: int, more: int) -> None:
        """Both ends are inclusive."""
        chunk = parse_chunk(f"{start}-{start + more}")
        self.assertEqual(chunk, Chunk(start, start + more + 1))
        check_chunk(chunk, more + 1)


class GateTests(SynchronousTestCase):
    """What may be changed."""

    def test_table(self) -> None:
        """Nothing changes a cache or a read-only registry; deletes are asked for."""
        for is_cache, read_only, deletes in product((False, True), repeat=3):
            gate = Gate(is_cache, read_only, deletes)
            gate.check(Change.NOTHING)
            is_open = not is_cache and not read_only
            for change, passes in (
                (Change.PUSH, is_open),
                (Change.DELETE, is_open and deletes),
            ):
                if passes:
                    gate.check(change)
                    continue
                with self.assertRaises(Unsupported) as caught:
                    gate.check(change)
                self.assertEqual(caught.exception.status, 405)
                self.assertIn("reason", caught.exception.detail)

    def test_default(self) -> None:
        """Unless it is said otherwise one may push and not delete."""
        Gate().check(Change.PUSH)
        self.assertRaises(Unsupported, Gate().check, Change.DELETE)


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
