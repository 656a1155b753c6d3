"""Upstreams that answer without end or measure."""

from __future__ import annotations

import json
from typing import Any, cast
from unittest.mock import patch

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow import turns
from txregistry.remote import referrers as remote_referrers
from txregistry.remote import tags as remote_tags
from txregistry.remote.body import COLLECT_SECONDS
from txregistry.spec import mediatypes
from txregistry.spec.digest import Digest
from txregistry.spec.ranges import parse_content_range
from txregistry.testing.answers import Got
from txregistry.testing.house import TestHouse

BLOB = "/v2/lib/x/blobs/sha256:" + "a" * 64
NESTED = b"[" * 100_000


class Raw(Protocol):
    """Answers every question with the same bytes, and waits."""

    answer = b""

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(self.answer)


SLOW = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"


class KeepingFactory(Factory):
    """Makes connections, and lists them."""

    def __init__(self, protocol: type[Raw], made: list[Raw]) -> None:
        self.protocol = protocol
        self.made = made

    def buildProtocol(self, addr: Any) -> Protocol:
        self.made.append(self.protocol())
        return self.made[-1]


class RawCase(SynchronousTestCase):
    """A whole cache in front of an upstream that sends raw bytes."""

    def get(self, answer: bytes, path: str = BLOB) -> Got:
        self.house = TestHouse()
        raw = type("Answering", (Raw,), {"answer": answer})
        self.house.upstream_wire._server = Factory.forProtocol(raw)
        return self.house.settle(self.house.ask("GET", path))


class SlowTests(SynchronousTestCase):
    """Bodies that come byte by byte."""

    def test_small_body(self) -> None:
        """A manifest or a list that comes byte by byte is given up after a while."""
        for path in ("manifests/v1", "tags/list"):
            house = TestHouse()
            connections: list[Raw] = []
            raw = type("Slow", (Raw,), {"answer": SLOW})
            house.upstream_wire._server = KeepingFactory(raw, connections)
            done = house.ask("GET", f"/v2/lib/x/{path}")
            house.pump()
            for _ in range(int(COLLECT_SECONDS) // 20 + 2):
                for connection in connections:
                    connection.transport.write(b" ")  # type: ignore[union-attr]
                house.clock.advance(20)
                house.pump()
            self.assertEqual(self.successResultOf(done).status, 504)
            self.assertEqual(house.upstream_wire.open_connections, 0)


class AnswerTests(RawCase):
    """Answers that are malformed in other ways."""

    def check_no_failure_of_ours(self, answer: bytes, path: str) -> None:
        for method in ("GET", "HEAD"):
            self.house = TestHouse()
            raw = type("Answering", (Raw,), {"answer": answer})
            self.house.upstream_wire._server = Factory.forProtocol(raw)
            got = self.house.settle(self.house.ask(method, path))
            shown = (answer[:80], path[:30], method, got.status)
            self.assertNotEqual(got.status, 500, shown)
            self.assertEqual(self.flushLoggedErrors(), [], shown)

    def test_malformed(self) -> None:
        """Nothing that an upstream sends is a failure of ours, nor a traceback."""
        body = b'{"tags": ["a"]}'
        length = b"Content-Length: %d\r\n" % len(body)
        for head, content in (
            (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n", NESTED),
            (b"HTTP/1.1 200 OK\r\nLink: <ftp://x>; rel=next\r\n" + length, body),
            (
                b"HTTP/1.1 200 OK\r\nLink: <http://x:99999>; rel=next\r\n" + length,
                body,
            ),
            (b"HTTP/1.1 200 OK\r\nLink: <http://[>; rel=next\r\n" + length, body),
            (b"HTTP/1.1 307 x\r\nLocation: http://[\r\nContent-Length: 0\r\n", b""),
            (b"HTTP/1.1 307 x\r\nLocation: http://x:9y\r\nContent-Length: 0\r\n", b""),
            (b"HTTP/1.1 200 OK\r\nETag: \xff\xfe\r\nX\xff: \xff\r\n" + length, body),
            (b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n", body),
            (b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 1000 + b"\r\n", body),
            (b"HTTP/1.1 401 x\r\nRetry-After: " + b"9" * 5000 + b"\r\n" + length, body),
        ):
            for path in (
                BLOB,
                "/v2/lib/x/tags/list",
                "/v2/lib/x/manifests/v1",
                BLOB.replace("blobs", "referrers"),
            ):
                self.check_no_failure_of_ours(head + b"\r\n" + content, path)

    def test_tokens(self) -> None:
        """Nested JSON and endless numbers of a token service are a bad gateway."""
        realm = b'Bearer realm="http://upstream.example/token"'
        challenge = b"HTTP/1.1 401 x\r\nWWW-Authenticate: %b\r\n" % realm
        for body in (NESTED, b'{"token": "t", "expires_in": %b}' % (b"9" * 4000)):
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
            tokens = type("Tokens", (_Tokens,), {"answer": answer + body})
            tokens.challenge = challenge + b"Content-Length: 0\r\n\r\n"
            house = TestHouse()
            house.upstream_wire._server = Factory.forProtocol(tokens)
            got = house.settle(house.ask("GET", BLOB))
            self.assertEqual((got.status, self.flushLoggedErrors()), (502, []))

    def test_content_range(self) -> None:
        """A range of thousands of digits is none."""
        many = "9" * 5000
        for text in (f"bytes 0-{many}/{many}", f"bytes {many}-{many}/*"):
            self.assertIsNone(parse_content_range(text))


class _Tokens(Raw):
    """Demands a token, which it has not."""

    challenge = b""

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        asked = data.startswith(b"GET /token")
        self.transport.write(self.answer if asked else self.challenge)


class ListTests(RawCase):
    """Long lists, which are no more than a page."""

    def answer(self, document: object) -> bytes:
        body = json.dumps(document).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    def referrers(self, count: int) -> bytes:
        entry = {"mediaType": mediatypes.OCI_MANIFEST, "size": 1}
        digests = (Digest.of(b"%d" % number) for number in range(count))
        listed = [{**entry, "digest": str(digest)} for digest in digests]
        return self.answer({"schemaVersion": 2, "manifests": listed})

    def turns(self, answer: bytes, path: str) -> tuple[int, int]:
        """Ask; give the status, and how often others had a turn because of us."""
        taken: list[float] = []

        def later(clock: object, seconds: float) -> Deferred[None]:
            taken.append(seconds)
            return deferLater(cast(Any, clock), seconds)

        with patch.object(turns, "deferLater", later):
            return self.get(answer, path).status, len(taken)

    def test_tags_are_read_in_turns(self) -> None:
        """Others have their turn while many tags are read."""
        tags = self.answer({"tags": [f"v{number}" for number in range(5000)]})
        self.assertEqual(self.turns(tags, "/v2/lib/x/tags/list"), (200, 5000 // 256))

    def test_referrers_are_read_in_turns(self) -> None:
        """And while many referrers are."""
        path = BLOB.replace("blobs", "referrers")
        self.assertEqual(self.turns(self.referrers(2000), path), (200, 2000 // 256))

    def test_too_many(self) -> None:
        """A list of more than is held is an error, and not a part of it."""
        self.patch(remote_tags, "MAX_TAGS", 100)
        self.patch(remote_referrers, "MAX_ENTRIES", 100)
        tags = self.answer({"tags": [f"v{number}" for number in range(101)]})
        self.assertEqual(self.get(tags, "/v2/lib/x/tags/list").status, 502)
        path = BLOB.replace("blobs", "referrers")
        self.assertEqual(self.get(self.referrers(100), path).status, 200)
        self.assertEqual(self.get(self.referrers(101), path).status, 502)


class LengthTests(SynchronousTestCase):
    """Answers of another length than the upstream has told."""

    def test_another_length_is_refused_before_its_first_byte(self) -> None:
        """What HEAD has told and GET does not send is no part of the blob."""
        house = TestHouse()
        digest = house.upstream.add_blob("lib/x", b"x" * 300_000)
        path = f"/v2/lib/x/blobs/{digest}"
        house.settle(house.ask("HEAD", path))
        house.upstream.blobs["lib/x", str(digest)] = b"a neighbour's" * 50_000
        got = house.settle(house.ask("GET", path))
        self.assertEqual(got.status, 502)
        self.assertNotIn(b"neighbour", got.body)

    def test_length_of_a_manifest(self) -> None:
        """A manifest tells as well, also one that is cached; a HEAD is not needed."""
        house = TestHouse()
        digest = house.upstream.add_blob("lib/x", b"x" * 300_000)
        layer = {"mediaType": "a/b", "digest": str(digest), "size": 300_000}
        image = {"schemaVersion": 2, "mediaType": mediatypes.OCI_MANIFEST}
        content = json.dumps({**image, "config": layer, "layers": [layer]}).encode()
        house.upstream.add_manifest("lib/x", content, "v1")
        for _ in range(2):
            house.settle(house.ask("GET", "/v2/lib/x/manifests/v1"))
            house.upstream.blobs["lib/x", str(digest)] = b"a neighbour's" * 50_000
            got = house.settle(house.ask("GET", f"/v2/lib/x/blobs/{digest}"))
            self.assertEqual(got.status, 502)
            self.assertNotIn(b"neighbour", got.body)
        house.upstream.blobs["lib/x", str(digest)] = b"x" * 300_000
        got = house.settle(house.ask("GET", f"/v2/lib/x/blobs/{digest}"))
        self.assertEqual((got.status, len(got.body)), (200, 300_000))
