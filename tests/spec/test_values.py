"""The values of the registry: parsed or refused."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec import mediatypes
from txregistry.spec.accept import accepts
from txregistry.spec.cachestatus import CacheStatus
from txregistry.spec.challenge import Challenge, parse_challenges
from txregistry.spec.digest import HEX_LENGTHS, Digest
from txregistry.spec.errors import (
    DigestInvalid,
    ManifestInvalid,
    ManifestTooLarge,
    NameInvalid,
    PaginationNumberInvalid,
    RangeInvalid,
    TagInvalid,
    TooManyRequests,
    envelope,
)
from txregistry.spec.freshness import Freshness, TagPolicy
from txregistry.spec.links import parse_next
from txregistry.spec.manifest import jws
from txregistry.spec.manifest.model import MAX_MANIFEST_BYTES
from txregistry.spec.manifest.parse import media_type_of, parse
from txregistry.spec.pagination import next_link, parse_page
from txregistry.spec.ranges import ByteRange, parse_content_range, parse_range
from txregistry.spec.reference import RepositoryName, Tag, parse_reference


class DigestTests(SynchronousTestCase):
    """Digests."""

    def test_round_trip(self) -> None:
        """Each registered algorithm parses and prints."""
        for algorithm in HEX_LENGTHS:
            digest = Digest.of(b"content", algorithm)
            self.assertEqual(Digest.parse(str(digest)), digest)

    def test_refused(self) -> None:
        """Anything else does not."""
        good = "a" * 64
        for text in (
            "",
            "sha256",
            "sha256:",
            f"sha256:{good[1:]}",
            f"sha256:{good}a",
            f"sha256:{good.upper()}",
            f"sha257:{good}",
            f"md5:{'a' * 32}",
            f"sha512:{good}",
            f" sha256:{good}",
            f"sha256:{good}\n",
            f"sha256:{'٠' * 64}",
            f"SHA256:{good}",
        ):
            with self.assertRaises(DigestInvalid):
                Digest.parse(text)

    @given(st.text(max_size=200))
    def test_any_text(self, text: str) -> None:
        """Any text parses to itself or is refused."""
        try:
            self.assertEqual(str(Digest.parse(text)), text)
        except DigestInvalid:
            pass


class ReferenceTests(SynchronousTestCase):
    """Repository names and tags."""

    def test_names(self) -> None:
        """Distribution's grammar."""
        for text in (
            "a",
            "library/nginx",
            "a/b/c/d/e/f",
            "foo.bar/baz",
            "foo__bar",
            "a---b",
            "localhost:8080/foo",
            "Host.Example/foo",
            "aa/asdf$$^/aa"[:2],
            "0/1",
        ):
            self.assertEqual(str(RepositoryName.parse(text)), text)

    def test_refused_names(self) -> None:
        """What breaks it."""
        for text in (
            "",
            "A",
            "a/",
            "/a",
            "a//b",
            "a/../b",
            "-a",
            "a-",
            "a___b",
            "a..b",
            "a b",
            "ä",
            "a" * 256,
            "a\n",
            "a/B",
            "a/" * 300 + "a",
        ):
            with self.assertRaises(NameInvalid):
                RepositoryName.parse(text)

    def test_longest_name(self) -> None:
        """255 characters are a name."""
        self.assertEqual(len(str(RepositoryName.parse("a" * 255))), 255)

    def test_tags(self) -> None:
        """Letters, digits, and three signs that do not begin one, except one."""
        for text in ("v1", "_x", "A.b-c_d", "x" * 128):
            self.assertEqual(str(Tag.parse(text)), text)
        for text in ("", "-x", ".x", "x" * 129, "a b", "ä", "a\n", "a/b"):
            with self.assertRaises(TagInvalid):
                Tag.parse(text)

    def test_reference(self) -> None:
        """With a colon it is a digest or nothing."""
        digest = Digest.of(b"")
        self.assertEqual(parse_reference(str(digest)), digest)
        self.assertEqual(parse_reference("v1"), Tag("v1"))
        with self.assertRaises(DigestInvalid):
            parse_reference("sha257:aa")


class RangeTests(SynchronousTestCase):
    """Byte ranges."""

    def test_one(self) -> None:
        """First to last, from, and the last so many."""
        for header, expected in (
            ("bytes=0-0", (0, 1)),
            ("bytes=0-", (0, 10)),
            ("bytes=9-", (9, 10)),
            ("bytes=-3", (7, 10)),
            ("bytes=-99", (0, 10)),
            ("bytes=2-99", (2, 10)),
            ("Bytes = 1-2", (1, 3)),
        ):
            self.assertEqual(parse_range(header, 10), [ByteRange(*expected)])

    def test_many(self) -> None:
        """Several parts, in the order asked for; those that exist."""
        found = parse_range("bytes=8-9, 0-1,,50-60", 10)
        self.assertEqual(found, [ByteRange(8, 10), ByteRange(0, 2)])

    def test_a_thousand(self) -> None:
        """1,024 parts are answered, as chunked layers need them."""
        parts = ",".join(f"{n * 10}-{n * 10 + 4}" for n in range(1024))
        self.assertEqual(len(parse_range(f"bytes={parts}", 20_000)), 1024)

    def test_whole(self) -> None:
        """What is not understood, or amplifies, is answered whole."""
        for header in (
            None,
            "",
            "bytes",
            "items=0-1",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-2,x",
            "bytes=0-9,0-9,0-9",
            "bytes=" + ",".join(["0-0"] * 3000),
        ):
            self.assertIsNone(parse_range(header, 10))

    def test_unsatisfiable(self) -> None:
        """No byte of it exists."""
        for header in ("bytes=10-", "bytes=10-20", "bytes=-0"):
            with self.assertRaises(RangeInvalid) as caught:
                parse_range(header, 10)
            self.assertEqual(caught.exception.headers, {"Content-Range": "bytes */10"})

    def test_backwards(self) -> None:
        """A range that ends before it begins is refused, alone and among others."""
        for header in ("bytes=500-0", "bytes=5-2", "bytes=0-1,5-2", "bytes=5-2,0-1"):
            for size in (0, 10, 1000):
                with self.assertRaises(RangeInvalid) as caught:
                    parse_range(header, size)
                told = {"Content-Range": f"bytes */{size}"}
                self.assertEqual(caught.exception.headers, told)

    @given(st.text(alphabet="bytes=0123456789-, ", max_size=40), st.integers(0, 50))
    def test_any(self, header: str, size: int) -> None:
        """Whatever is asked, parts lie within the content."""
        try:
            parts = parse_range(header, size)
        except RangeInvalid:
            return
        for part in parts or ():
            self.assertTrue(0 <= part.start < part.end <= size)

    def test_content_range(self) -> None:
        """An upstream's answer, with and without a total."""
        found = parse_content_range("bytes 5-9/10")
        self.assertEqual(found, (ByteRange(5, 10), 10))
        self.assertEqual(parse_content_range("bytes 5-9/*"), (ByteRange(5, 10), None))
        for text in (None, "", "bytes 9-5/10", "bytes */10", "5-9/10"):
            self.assertIsNone(parse_content_range(text))


class AcceptTests(SynchronousTestCase):
    """Content negotiation."""

    def test_accepts(self) -> None:
        """Wildcards, several lines, and q-values count."""
        kind = mediatypes.OCI_MANIFEST
        for headers, expected in (
            ([], True),
            ([""], True),
            (["*/*"], True),
            (["application/*"], True),
            ([kind], True),
            (["text/html", kind], True),
            ([f"{kind};q=0.1"], True),
            (["text/*"], False),
            ([mediatypes.OCI_INDEX], False),
            ([f"{kind};q=0"], False),
            ([f"{kind};q=0, */*"], False),
            (["*/*;q=0"], False),
            ([f"application/*;q=0,{kind}"], True),
            ([f"{kind};q=junk"], True),
            ([f" {kind.upper()} ; x=y"], True),
        ):
            self.assertEqual((headers, accepts(headers, kind)), (headers, expected))


class ChallengeTests(SynchronousTestCase):
    """Challenges."""

    def test_parse(self) -> None:
        """Quoted strings, escapes, several in one line, several lines."""
        found = parse_challenges(
            [
                'Bearer realm="https://a/t",service="s p",scope="a:b:pull,push"',
                'Basic realm="x\\"y", Digest nonce=abc',
            ]
        )
        self.assertEqual(
            found,
            [
                Challenge(
                    "bearer",
                    {
                        "realm": "https://a/t",
                        "service": "s p",
                        "scope": "a:b:pull,push",
                    },
                ),
                Challenge("basic", {"realm": 'x"y'}),
                Challenge("digest", {"nonce": "abc"}),
            ],
        )

    def test_several(self) -> None:
        """Schemes with and without parameters, in one line or several."""
        for lines in (
            ['Basic realm="a, b", Bearer realm="c"'],
            ['Basic realm="a, b"', 'Bearer realm="c"'],
            ['basic REALM = "a, b" , ,BEARER\trealm=c'],
            ['Negotiate, Basic realm="a, b", Negotiate YII==, Bearer realm="c"'],
            ['realm="lost", Basic realm="a, b",realm=x, ==, Bearer realm="c'],
        ):
            found = parse_challenges(lines)
            schemes = [item for item in found if item.scheme in ("basic", "bearer")]
            expected = [
                Challenge("basic", {"realm": "a, b"}),
                Challenge("bearer", {"realm": "c"}),
            ]
            self.assertEqual((lines, schemes), (lines, expected))

    @given(st.text(max_size=100))
    def test_any_text(self, text: str) -> None:
        """Whatever is sent, reading it ends."""
        parse_challenges([text])
        parse_next([text])


class FreshnessTests(SynchronousTestCase):
    """Tags and their age."""

    @given(st.floats(0, 1e9), st.floats(0, 1e9), st.floats(0, 1e6))
    def test_never_fresh_past_its_time(self, at: float, now: float, ttl: float) -> None:
        """An answer is fresh only within its time, and never from the future."""
        if TagPolicy(ttl).judge(at, now) is Freshness.FRESH:
            self.assertTrue(0 <= now - at < ttl)

    def test_stale(self) -> None:
        """Without a limit everything may be served; with one, up to it."""
        self.assertTrue(TagPolicy(60).may_serve_stale(0, 1e9))
        self.assertTrue(TagPolicy(60, 100).may_serve_stale(0, 100))
        self.assertFalse(TagPolicy(60, 100).may_serve_stale(0, 101))
        self.assertIs(TagPolicy(60).judge(None, 0), Freshness.REVALIDATE)

    def test_status_headers(self) -> None:
        """RFC 9211, and nothing where nothing is known."""
        self.assertEqual(CacheStatus().headers(), {})
        status = CacheStatus(forward="miss", stored=True, collapsed=True)
        self.assertEqual(
            status.headers(),
            {"Cache-Status": "txregistry; fwd=miss; stored; collapsed"},
        )


class PaginationTests(SynchronousTestCase):
    """Pages."""

    def test_page(self) -> None:
        """Numbers from 0 up; more than the most is the most."""
        self.assertEqual(parse_page("5", "x", 1000).limit, 5)
        self.assertEqual(parse_page("0", None, 1000).limit, 0)
        self.assertEqual(parse_page("99999", None, 1000).limit, 1000)
        for absent in (None, ""):
            self.assertIsNone(parse_page(absent, None, 1000).limit)
        for text in ("-1", "x", "1.5", "9" * 30, "٣"):
            with self.assertRaises(PaginationNumberInvalid):
                parse_page(text, None, 1000)

    def test_links(self) -> None:
        """What we send we can read, and what others send."""
        link = next_link("/v2/a/tags/list", 2, "a+b")
        self.assertEqual(parse_next([link]), "/v2/a/tags/list?last=a%2Bb&n=2")
        for text in (
            "<x>; rel=next",
            '<x>;REL="Next"',
            '<y>; rel=prev, <x>; rel="next"',
            '<y>; title="<z>; rel=next"; rel=last, <x>; rel="prev next"',
            "<x> ; title=a ; rel = next",
            '<y>;rel=prev;rel=next,<x>;rel="next";rel=prev',
        ):
            self.assertEqual((text, parse_next(["", text])), (text, "x"))
        for text in ("", "<x>; rel=prev", "x; rel=next", "<x", "<x>; rel", "<" * 99):
            self.assertIsNone(parse_next([text]))


class ErrorTests(SynchronousTestCase):
    """Errors."""

    def test_envelope(self) -> None:
        """The specification's document; no detail where there is none."""
        found = envelope(NameInvalid({"name": "A"}), TooManyRequests())
        self.assertEqual(
            found,
            {
                "errors": [
                    {
                        "code": "NAME_INVALID",
                        "message": "invalid repository name",
                        "detail": {"name": "A"},
                    },
                    {"code": "TOOMANYREQUESTS", "message": "too many requests"},
                ]
            },
        )

    def test_retry_after(self) -> None:
        """A wait is told in whole seconds, at least one."""
        self.assertEqual(TooManyRequests(None, 0.2).headers, {"Retry-After": "1"})
        self.assertEqual(TooManyRequests().headers, {})


def descriptor(digest: Digest, kind: str = "x/y") -> dict[str, object]:
    return {"mediaType": kind, "digest": str(digest), "size": 1}


class ManifestTests(SynchronousTestCase):
    """Manifests of all families."""

    def setUp(self) -> None:
        self.a, self.b = Digest.of(b"a"), Digest.of(b"b")
        self.image: dict[str, object] = {
            "schemaVersion": 2,
            "mediaType": mediatypes.OCI_MANIFEST,
            "config": descriptor(self.a),
            "layers": [descriptor(self.b) | {"urls": ["http://x/"]}],
            "subject": descriptor(self.b),
        }
        self.index: dict[str, object] = {
            "schemaVersion": 2,
            "mediaType": mediatypes.DOCKER_LIST,
            "manifests": [descriptor(self.a), descriptor(self.b)],
        }

    def parse(self, document: object, kind: str | None = None):
        return parse(json.dumps(document).encode(), kind)

    def test_image(self) -> None:
        """Configuration, layers and subject are read; bytes are kept."""
        found = self.parse(self.image)
        self.assertEqual([d.digest for d in found.references], [self.a, self.b])
        self.assertEqual(found.references[1].urls, ("http://x/",))
        self.assertEqual(found.subject.digest, self.b)
        self.assertEqual(found.artifact_type, "x/y")
        self.assertEqual(found.content, json.dumps(self.image).encode())
        self.assertEqual(found.descriptor.size, len(found.content))

    def test_index(self) -> None:
        """Children are read."""
        found = self.parse(self.index)
        self.assertEqual(len(found.references), 2)
        self.assertEqual(found.media_type, mediatypes.DOCKER_LIST)

    def test_guessed_types(self) -> None:
        """OCI documents need not name their type."""
        del self.image["mediaType"], self.index["mediaType"]
        self.assertEqual(self.parse(self.image).media_type, mediatypes.OCI_MANIFEST)
        self.assertEqual(self.parse(self.index).media_type, mediatypes.OCI_INDEX)
        content = json.dumps({"schemaVersion": 1, "fsLayers": []}).encode()
        self.assertEqual(media_type_of(content), mediatypes.DOCKER_SCHEMA1)

    def test_careless_content_type(self) -> None:
        """application/json says nothing; parameters do not matter."""
        for kind in (
            "application/json",
            "text/plain; charset=utf-8",
            mediatypes.OCI_MANIFEST + "; charset=utf-8",
        ):
            self.assertEqual(
                self.parse(self.image, kind).media_type, mediatypes.OCI_MANIFEST
            )

    def test_refused(self) -> None:
        """What is no manifest, or two at once."""
        for document, kind in (
            ([], None),
            ("x", None),
            ({"mediaType": "x/y"}, None),
            (self.image, mediatypes.OCI_INDEX),
            ({**self.image, "manifests": []}, None),
            ({**self.index, "layers": []}, None),
            ({**self.index, "config": None}, None),
            ({**self.image, "config": None}, None),
            ({**self.image, "layers": {}}, None),
            ({**self.image, "layers": [{"digest": "x", "size": 1}]}, None),
            ({**self.image, "layers": [{"digest": str(self.a), "size": -1}]}, None),
            ({**self.image, "layers": [{"digest": str(self.a), "size": True}]}, None),
            ({**self.image, "mediaType": 7}, None),
        ):
            with self.assertRaises(ManifestInvalid):
                self.parse(document, kind)
        for content in (b"", b"{", b"\xff", b"[" * 100_000):
            with self.assertRaises(ManifestInvalid):
                parse(content)

    def test_too_large(self) -> None:
        """4 MiB are accepted, one byte more is not."""
        filler = json.dumps({**self.image, "annotations": {"x": ""}})
        room = MAX_MANIFEST_BYTES - len(filler)
        content = filler.replace('"x": ""', '"x": "' + "y" * room + '"').encode()
        self.assertEqual(len(parse(content).content), MAX_MANIFEST_BYTES)
        with self.assertRaises(ManifestTooLarge):
            parse(content + b" ")

    def test_schema1(self) -> None:
        """A signed document is known by its payload, and put together again."""
        payload = json.dumps(
            {"schemaVersion": 1, "fsLayers": [{"blobSum": str(self.a)}]}, indent=3
        ).encode()
        signed = _sign(payload)
        found = parse(signed)
        self.assertEqual(found.media_type, mediatypes.DOCKER_SCHEMA1_SIGNED)
        self.assertEqual(found.digest, Digest.of(payload))
        self.assertEqual([d.digest for d in found.references], [self.a])
        signatures, stored = jws.take_apart(found)
        self.assertEqual(stored, payload)
        again = jws.put_together(parse(stored), signatures)
        self.assertEqual(again.content, signed)
        self.assertEqual(again.digest, found.digest)

    def test_broken_signature(self) -> None:
        """Signatures that do not say what they span are refused."""
        document = {
            "schemaVersion": 1,
            "fsLayers": [],
            "signatures": [{"protected": "!"}],
        }
        with self.assertRaises(ManifestInvalid):
            self.parse(document)


def _sign(payload: bytes) -> bytes:
    import base64

    def code(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    length = payload.rindex(b"\n}")
    header = {"formatLength": length, "formatTail": code(payload[length:])}
    signature = {
        "header": {"alg": "ES256"},
        "signature": "c2ln",
        "protected": code(json.dumps(header).encode()),
    }
    listed = json.dumps([signature], indent=3).replace("\n", "\n   ").encode()
    return payload[:length] + b',\n   "signatures": ' + listed + payload[length:]
