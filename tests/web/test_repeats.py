"""Answers given again to the same words: when, when not, and what is told of them."""

from __future__ import annotations

import os
from typing import Any

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.web.raw import Answer, Line
from txregistry.auth.silly import SillyAccess
from txregistry.interfaces.events import Event, IEventSink
from txregistry.spec import mediatypes
from txregistry.spec.digest import Digest
from txregistry.spec.freshness import TagPolicy
from txregistry.testing.house import TestHouse
from txregistry.testing.repositories import image_manifest
from txregistry.testing.upstream import Fault

ACCEPT = "Accept: */*"


@implementer(IEventSink)
class Listening:
    """Somebody listens to events."""

    listening = True

    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> Deferred[None]:
        self.events.append(event)
        return succeed(None)


class RepeatCase(SynchronousTestCase):
    """A cache and a registry, and clients that keep their connections."""

    def setUp(self) -> None:
        self.take(TestHouse())

    def take(self, house: TestHouse) -> None:
        """Use a house; count the answers that are given again."""
        self.house, self.repeated = house, 0
        for site in (house.site, house.registry):
            self.patch(site, "answered_again", self.counting(site.answered_again))
        self.content = os.urandom(1500)
        self.blob = house.upstream.add_blob("a/b", self.content)
        self.digest = house.upstream.add_manifest("a/b", image_manifest(), "v1")
        self.tag_path = "/v2/a/b/manifests/v1"
        self.blob_path = f"/v2/a/b/blobs/{self.blob}"

    def counting(self, tell: Any) -> Any:
        def count(*args: Any) -> None:
            self.repeated += 1
            tell(*args)

        return count

    def ask(
        self, path: str, *fields: str, method: str = "GET", line: Any = None
    ) -> Any:
        """Ask the cache once, on a connection of its own if none is given."""
        line = line or Line(self.house, self.house.wire)
        line.received = b""
        lines = [f"{method} {path} HTTP/1.1", "Host: cache.example", *fields]
        line.send("\r\n".join((*lines, "", "")).encode())
        for _ in range(200):
            if line.received:
                break
            self.house.clock.advance(0.05)
            self.house.pump()
        return line

    def one(self, *args: Any, method: str = "GET", **named: Any) -> Answer:
        """Ask once, and read the answer."""
        (answer,) = self.ask(*args, method=method, **named).answers(method)
        return answer

    def warm(self, *fields: str) -> None:
        """Have all of it in the cache, and a whole second ahead."""
        for path in (self.tag_path, self.blob_path):
            self.assertIn(self.one(path, ACCEPT, *fields).status, (200, 401))
        self.house.clock.advance(10)
        self.repeated = 0


class RepeatTests(RepeatCase):
    """What is given again."""

    def test_answers_are_given_again(self) -> None:
        """To any connection, byte for byte; not in the next second."""
        self.warm()
        for path, method in (
            (self.tag_path, "GET"),
            (self.tag_path, "HEAD"),
            (f"/v2/a/b/manifests/{self.digest}", "GET"),
            (self.blob_path, "GET"),
            (self.blob_path, "HEAD"),
            ("/v2/", "GET"),
        ):
            first = self.ask(path, ACCEPT, method=method)
            bytes_of_first, self.repeated = first.received, 0
            again = self.ask(path, ACCEPT, method=method, line=first)
            other = self.ask(path, ACCEPT, method=method)
            self.assertEqual(self.repeated, 2, (path, method))
            for line in (again, other):
                self.assertEqual(line.received, bytes_of_first)
        self.house.clock.advance(1)
        later = self.ask(self.tag_path, ACCEPT)
        self.assertEqual(self.repeated, 2)
        self.assertNotEqual(later.received, bytes_of_first)  # Date

    def test_other_words_are_other_questions(self) -> None:
        """What differs in a byte, or in how it arrives, goes the ordinary way."""
        self.warm()
        self.one(self.tag_path, ACCEPT)
        self.one(self.tag_path, ACCEPT, "User-Agent: other")
        self.one(self.tag_path, "Accept: text/html, */*")
        head = (
            f"GET {self.tag_path} HTTP/1.1\r\nHost: cache.example\r\n{ACCEPT}\r\n\r\n"
        )
        halves = Line(self.house, self.house.wire)
        halves.send(head[:30].encode()).send(head[30:].encode())
        two = Line(self.house, self.house.wire).send(head.encode() * 2)
        statuses = [answer.status for answer in halves.answers() + two.answers()]
        self.assertEqual((statuses, self.repeated), ([200] * 3, 0))

    def test_fields_about_the_connection(self) -> None:
        """Who asks for whom, and what becomes of the connection, is not repeated."""
        self.warm()
        for field in (
            "Connection: close",
            "X-Forwarded-For: 10.0.0.1",
            "Forwarded: for=10.0.0.1",
            "X-Forwarded-Proto: https",
            "X-Unknown: 1",
            "Content-Length: 0",
        ):
            for _ in range(2):
                self.assertEqual(self.one(self.tag_path, ACCEPT, field).status, 200)
        self.assertEqual(self.repeated, 0)

    def test_ranges_and_conditions(self) -> None:
        """Parts and 304 are given again, refusals are not."""
        self.warm()
        etag = f'If-None-Match: "{self.blob}"'
        for fields, status in (
            (("Range: bytes=0-9",), 206),
            ((etag,), 304),
            (("Range: bytes=9999-",), 416),
        ):
            self.repeated = 0
            got = [self.one(self.blob_path, *fields) for _ in range(2)]
            self.assertEqual([answer.status for answer in got], [status] * 2)
            self.assertEqual(got[0].body, got[1].body)
            self.assertEqual(self.repeated, 0 if status == 416 else 1)

    def test_errors_are_not_repeated(self) -> None:
        """Each is decided anew."""
        for _ in range(3):
            self.assertEqual(self.one("/v2/a/b/manifests/none", ACCEPT).status, 404)
        self.assertEqual(self.repeated, 0)

    def test_a_connection_lives_on(self) -> None:
        """However long after the start of it a ready answer is given."""
        self.warm()
        line = Line(self.house, self.house.wire)
        for seconds in (0, 31, 45, 20):
            self.house.clock.advance(seconds)
            self.one(self.tag_path, ACCEPT)
            answer = self.one(self.tag_path, ACCEPT, line=line)
            self.assertEqual(answer.status, 200)
            self.assertFalse(line.closed)
        self.assertEqual(self.repeated, 4)

    def test_long_answers(self) -> None:
        """A long blob is sent anew each time."""
        long = self.house.upstream.add_blob("a/b", os.urandom(100_000))
        for _ in range(3):
            got = self.house.get(f"/v2/a/b/blobs/{long}")
            self.assertEqual(len(got.body), 100_000)
        self.house.clock.advance(10)
        for _ in range(3):
            self.one(f"/v2/a/b/blobs/{long}", ACCEPT)
        self.assertEqual(self.repeated, 0)


class ToldTests(RepeatCase):
    """Logs, metrics and events."""

    def test_each_is_reported(self) -> None:
        """With an id of its own, and the address of the client who got it."""
        self.warm()
        del self.house.recorder.exchanges[:]
        for _ in range(3):
            self.one(self.blob_path, ACCEPT)
        first, *others = self.house.recorder.exchanges
        self.assertEqual((self.repeated, len(others)), (2, 2))
        self.assertEqual(len({first.request_id, *(e.request_id for e in others)}), 3)
        for other in others:
            self.assertEqual(
                (other.handler, other.status, other.sent_bytes, other.cache_status),
                ("blob", 200, 1500, "txregistry; hit"),
            )
            self.assertEqual((other.uri, other.peer), (first.uri, first.peer))

    def test_metrics_count_each(self) -> None:
        """All that is counted of one is counted of the next."""
        self.warm()
        names = ("requests", "hits", "pushed_bytes", "hit_bytes")

        def counts() -> dict[str, float]:
            label, of_type = {"upstream": "upstream.example"}, ("blob", "manifest")
            return {
                f"{name} {kind}": self.house.count(
                    f"registry_proxy_{name}_total", type=kind, **label
                )
                for name in names
                for kind in of_type
            } | {"lookups": self.house.count("registry_storage_cache_hits_total")}

        rises = []
        for _ in range(3):
            before = counts()
            for path in (self.tag_path, self.blob_path):
                self.one(path, ACCEPT)
            rises.append({key: counts()[key] - before[key] for key in before})
        self.assertEqual(self.repeated, 4)
        self.assertEqual(rises[0]["pushed_bytes blob"], 1500)
        self.assertEqual(rises[0]["hit_bytes blob"], 1500)
        self.assertEqual((rises[1], rises[2]), (rises[0], rises[0]))

    def test_events(self) -> None:
        """While somebody listens each pull has its event, and none is repeated."""
        sink = Listening()
        self.take(TestHouse(events=sink))
        self.warm()
        for _ in range(3):
            self.one(self.tag_path, ACCEPT)
        pulled = [e for e in sink.events if e.target.tag]
        self.assertEqual((self.repeated, len(pulled)), (0, 4))


class ChangedTests(RepeatCase):
    """What ends a repeat before its second is over."""

    def push(self, name: str, note: str) -> str:
        """Push an image to the registry; give the note that a pull shows."""
        path = f"/v2/{name}/blobs/uploads/?digest={Digest.of(b'{}')}"
        self.assertEqual(self.house.send("POST", path, b"{}").status, 201)
        path, kind = f"/v2/{name}/manifests/v1", mediatypes.OCI_MANIFEST
        pushed = self.house.send(
            "PUT", path, image_manifest(note=note), Content_Type=kind
        )
        self.assertEqual(pushed.status, 201)
        return note

    def pull(self, name: str) -> bytes:
        """Pull it; the status without a body."""
        path, line = f"/v2/{name}/manifests/v1", Line(self.house)
        line.send(f"GET {path} HTTP/1.1\r\nHost: r\r\n{ACCEPT}\r\n\r\n".encode())
        (got,) = line.answers("GET")
        return got.body if got.status == 200 else b"%d" % got.status

    def test_a_push_is_seen_at_once(self) -> None:
        """And so is a delete; another repository is not concerned."""
        for name in ("x", "y"):
            self.push(name, "one")
        for name in ("x", "x", "y", "y"):
            self.assertIn(b"one", self.pull(name))
        self.assertEqual(self.repeated, 2)
        self.push("x", "two")
        self.assertIn(b"two", self.pull("x"))
        self.assertEqual(self.repeated, 2)
        self.assertIn(b"one", self.pull("y"))
        self.assertEqual(self.repeated, 3)
        self.assertEqual(self.house.send("DELETE", "/v2/x/manifests/v1").status, 202)
        self.assertEqual(self.pull("x"), b"404")

    def test_damage_is_seen_at_once(self) -> None:
        """Content that is moved away is not served any more."""
        self.push("x", "one")
        self.pull("x")
        data = next(path for path in self.house.paths() if path.endswith("/data"))
        moved = self.house.stored.driver.move(data, "/txregistry/damaged/sha256/x")
        self.successResultOf(moved)
        self.pull("x")
        self.assertEqual(self.repeated, 0)

    def test_a_tag_that_moves_upstream(self) -> None:
        """Once a client was told of the newer manifest, nobody gets the older one."""
        self.take(TestHouse(policy=TagPolicy(60.2)))
        asked_at = self.house.clock.seconds()
        self.warm()
        older = self.digest
        newer = self.house.upstream.add_manifest("a/b", image_manifest(note="2"), "v1")
        self.house.clock.advance(asked_at + 60.1 - self.house.clock.seconds())

        def told(method: str, *fields: str) -> str:
            got = self.one(self.tag_path, ACCEPT, *fields, method=method)
            return got.headers["docker-content-digest"]

        self.assertEqual([told("GET") for _ in range(2)], [str(older)] * 2)
        self.assertEqual(self.repeated, 1)
        for number in range(30):
            if told("HEAD", f"User-Agent: {number}") != str(older):
                break
            self.house.clock.advance(0.02)
        self.assertEqual(int(self.house.clock.seconds()), int(asked_at + 60.1))
        self.assertEqual(told("GET"), str(newer))

    def test_a_refusal_of_the_upstream(self) -> None:
        """Once a client was refused, nobody is given what was kept before."""
        self.take(TestHouse(recheck=60.2))
        began_at = self.house.clock.seconds()
        self.warm()
        path = f"/v2/a/b/manifests/{self.digest}"
        self.house.clock.advance(began_at + 60.05 - self.house.clock.seconds())
        self.assertEqual(self.one(path, ACCEPT).status, 200)
        self.house.clock.advance(0.45)
        self.house.upstream.faults.append(Fault("/manifests/", 9, status=403))
        statuses = [
            self.one(path, ACCEPT, *fields).status
            for fields in (("User-Agent: other",), ())
        ]
        self.assertEqual(set(statuses), {403})
        self.assertEqual(self.repeated, 0)

    def test_a_hint(self) -> None:
        """Before its manifest is here, what a tag stands for now is told to others."""
        self.take(TestHouse(policy=TagPolicy(60.2)))
        began_at = self.house.clock.seconds()
        self.warm()
        newer = self.house.upstream.add_manifest("a/b", image_manifest(note="2"), "v1")
        self.house.clock.advance(began_at + 60.02 - self.house.clock.seconds())
        self.one(self.tag_path, ACCEPT)
        self.house.clock.advance(0.3)
        self.house.upstream.faults.append(Fault(f"/manifests/{newer}", 9, hang=True))
        getting = Line(self.house, self.house.wire)
        getting.send(
            f"GET {self.tag_path} HTTP/1.1\r\nHost: a\r\n{ACCEPT}\r\n\r\n".encode()
        )
        for _ in range(5):
            self.house.clock.advance(0.01)
            self.house.pump()
        got = self.one(self.tag_path, ACCEPT, method="HEAD")
        self.assertEqual(got.headers["docker-content-digest"], str(newer))
        self.assertEqual(int(self.house.clock.seconds()), int(began_at + 60.02))
        again = Line(self.house, self.house.wire)
        again.send(
            f"GET {self.tag_path} HTTP/1.1\r\nHost: cache.example\r\n"
            f"{ACCEPT}\r\n\r\n".encode()
        )
        self.assertEqual((again.received, self.repeated), (b"", 0))

    def test_stale_answers(self) -> None:
        """What is served in an outage is decided anew each time."""
        self.warm()
        self.house.clock.advance(100)
        self.house.upstream.faults.append(Fault("", status=503, times=100))
        for _ in range(3):
            got = self.one(self.tag_path, ACCEPT)
            self.assertIn("fwd=stale", got.headers["cache-status"])
        self.assertEqual(self.repeated, 0)


class PermittedTests(RepeatCase):
    """Who may be given an answer again."""

    def test_credentials_are_part_of_the_words(self) -> None:
        """Who shows none gets 401, whatever others were answered."""
        self.take(TestHouse(controller=SillyAccess("r", "s")))
        self.warm("Authorization: Bearer x")
        for _ in range(2):
            got = self.one(self.tag_path, ACCEPT, "Authorization: Bearer x")
            self.assertEqual(got.status, 200)
        self.assertEqual(self.repeated, 1)
        self.assertEqual(self.one(self.tag_path, ACCEPT).status, 401)
        self.assertEqual(self.repeated, 1)

    def test_a_drain(self) -> None:
        """A listener that stops closes connections after ordinary answers."""
        self.warm()
        line = self.ask(self.tag_path, ACCEPT)
        self.house.site.drain(5)
        self.house.pump()
        self.assertTrue(line.closed)
        self.assertIsNone(self.house.site.ready)

    def test_other_settings(self) -> None:
        """A reload forgets all of them."""
        self.warm()
        self.one(self.tag_path, ACCEPT)
        self.house.site.serve(attrs.evolve(self.house.site._serving))
        self.one(self.tag_path, ACCEPT)
        self.assertEqual(self.repeated, 0)

    def test_what_was_begun_before_a_reload(self) -> None:
        """Its answer goes to its client alone."""
        self.warm()
        self.house.upstream.faults.append(Fault("/manifests/", hang=True))
        waiting = Line(self.house, self.house.wire)
        path = f"/v2/a/b/manifests/{self.digest}"
        head = f"GET {path} HTTP/1.1\r\nHost: cache.example\r\n{ACCEPT}\r\n\r\n"
        recording = self.house.site.ready.begin(head.encode())
        recording.add(b"old")
        recording.subject = "a/b"
        self.house.site.serve(attrs.evolve(self.house.site._serving))
        self.house.site.ready.keep(recording, self.house.recorder.exchanges[-1])
        waiting.send(head.encode())
        self.assertNotEqual(waiting.received, b"old")
        self.assertEqual(self.repeated, 0)

    def test_where_none_may_be(self) -> None:
        """Without a count of changes all go the ordinary way."""
        serving = attrs.evolve(self.house.site._serving, changes=None)
        self.house.site.serve(serving)
        self.warm()
        for _ in range(3):
            self.assertEqual(self.one(self.tag_path, ACCEPT).status, 200)
        self.assertEqual(self.repeated, 0)

    def test_a_client_that_does_not_read(self) -> None:
        """What it is sent is bounded as by the ordinary way."""
        self.warm()
        before = set(self.house.site.channels)
        line = self.ask(self.tag_path, ACCEPT)
        (channel,) = self.house.site.channels - before
        channel.pauseProducing()
        self.ask(self.tag_path, ACCEPT, line=line)
        self.assertEqual(self.repeated, 0)
        channel.resumeProducing()
        self.house.pump()
        self.assertEqual([answer.status for answer in line.answers("GET")], [200])
