"""What the registry tells of what it does, over the wire."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any
from unittest.mock import patch

import attrs
from treq.client import HTTPClient
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from txregistry.auth.silly import SillyAccess
from txregistry.flow.bytes_body import SmallBody
from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.events import Action, Event, EventTarget, IEventSink
from txregistry.spec.gate import Gate
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storage.tree import layout
from txregistry.testing.answers import Got
from txregistry.testing.conversations import REGISTRY
from txregistry.testing.house import TestHouse

CONTENT = b"some content"
DIGEST = "sha256:" + sha256(CONTENT).hexdigest()
OCI = "application/vnd.oci.image"
IMAGE = f"{OCI}.manifest.v1+json"
OCTETS = "application/octet-stream"


@implementer(IEventSink)
@attrs.define(eq=False)
class Record:
    """Remembers what it is told.

    :ivar holds: answers are held back until :meth:`let_go`.
    """

    listening: bool = True
    holds: bool = False
    events: list[Event] = attrs.field(factory=list)
    held: list[Deferred[None]] = attrs.field(factory=list)

    def emit(self, event: Event) -> Deferred[None]:
        """Remember one."""
        self.events.append(event)
        if not self.holds:
            return succeed(None)
        done: Deferred[None] = Deferred()
        self.held.append(done)
        return done


def digest_of(content: bytes) -> str:
    return "sha256:" + sha256(content).hexdigest()


class EventCase(SynchronousTestCase):
    """A registry whose events are written down."""

    def setUp(self) -> None:
        self.record = Record()
        self.house = TestHouse(events=self.record)

    def push_blob(self, name: str = "a/b", content: bytes = CONTENT) -> dict[str, Any]:
        digest = digest_of(content)
        path = f"/v2/{name}/blobs/uploads/?digest={digest}"
        self.assertEqual(self.house.send("POST", path, content).status, 201)
        return {"mediaType": OCTETS, "digest": digest, "size": len(content)}

    def image(self) -> bytes:
        config = {**self.push_blob(), "mediaType": f"{OCI}.config.v1+json"}
        layer = self.push_blob("a/b", b"layer")
        document = {
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": config,
            "layers": [{**layer, "mediaType": f"{OCI}.layer.v1.tar"}],
        }
        return json.dumps(document).encode()

    def put(self, content: bytes, reference: str = "latest") -> Got:
        path = f"/v2/a/b/manifests/{reference}"
        got = self.house.send("PUT", path, content, Content_Type=IMAGE)
        self.assertEqual(got.status, 201, got.body)
        return got

    def events(self, method: str, path: str, *args: Any, **headers: str) -> list[Event]:
        """Send a request and give what was told of it."""
        self.record.events.clear()
        self.got = self.house.send(method, path, *args, **headers)
        return list(self.record.events)

    def event(self, method: str, path: str, *args: Any, **headers: str) -> Event:
        """Send a request of which one thing is told."""
        found = self.events(method, path, *args, **headers)
        self.assertEqual(len(found), 1, found)
        return found[0]

    def assertBlob(self, target: EventTarget, name: str = "a/b") -> None:
        assert target.descriptor is not None
        found = target.descriptor
        self.assertEqual(str(target.repository), name)
        self.assertEqual(
            (found.media_type, str(found.digest), found.size),
            (OCTETS, DIGEST, len(CONTENT)),
        )
        self.assertEqual(target.url, f"{REGISTRY}/v2/{name}/blobs/{DIGEST}")
        self.assertIsNone(target.tag)
        self.assertEqual(list(target.references), [])


class BlobEventTests(EventCase):
    """Blobs: push, pull, mount, delete."""

    def test_push_at_once(self) -> None:
        """A blob that is pushed in one request is told once, whole."""
        path = f"/v2/a/b/blobs/uploads/?digest={DIGEST}"
        event = self.event("POST", path, CONTENT)
        self.assertIs(event.action, Action.PUSH)
        self.assertBlob(event.target)
        self.assertIsNone(event.target.source)

    def test_push_in_steps(self) -> None:
        """Of an upload in steps only the last one tells."""
        self.assertEqual(self.events("POST", "/v2/a/b/blobs/uploads/"), [])
        location = self.got.header("Location")
        self.assertEqual(self.events("PATCH", location, CONTENT), [])
        location = self.got.header("Location")
        self.assertEqual(self.events("GET", location), [])
        event = self.event("PUT", f"{location}&digest={DIGEST}")
        self.assertIs(event.action, Action.PUSH)
        self.assertBlob(event.target)

    def test_push_that_failed(self) -> None:
        """Content of another digest, or an upload thrown away, is no push."""
        wrong = f"/v2/a/b/blobs/uploads/?digest={digest_of(b'x')}"
        self.assertEqual(self.events("POST", wrong, CONTENT), [])
        self.assertEqual(self.got.status, 400)
        self.events("POST", "/v2/a/b/blobs/uploads/")
        self.assertEqual(self.events("DELETE", self.got.header("Location")), [])

    def test_pull(self) -> None:
        """A blob that is sent is told."""
        self.push_blob()
        event = self.event("GET", f"/v2/a/b/blobs/{DIGEST}")
        self.assertIs(event.action, Action.PULL)
        self.assertBlob(event.target)

    def test_no_pull(self) -> None:
        """What is missing, refused, or with the client already, is not pulled."""
        self.push_blob()
        path = f"/v2/a/b/blobs/{DIGEST}"
        found = self.events("GET", path, If_None_Match=f'"{DIGEST}"')
        self.assertEqual((self.got.status, found), (304, []))
        found = self.events("GET", f"/v2/a/b/blobs/{digest_of(b'x')}")
        self.assertEqual((self.got.status, found), (404, []))
        found = self.events("GET", path, Range="bytes=9999-")
        self.assertEqual((self.got.status, found), (416, []))

    def test_mount(self) -> None:
        """A mount tells where from, and is no push."""
        self.push_blob("c/d")
        path = f"/v2/a/b/blobs/uploads/?mount={DIGEST}&from=c/d"
        event = self.event("POST", path)
        self.assertEqual(self.got.status, 201)
        self.assertIs(event.action, Action.MOUNT)
        self.assertBlob(event.target)
        self.assertEqual(str(event.target.source), "c/d")

    def test_mount_from_anywhere(self) -> None:
        """Where a source was found for the client, it is told too."""
        self.push_blob("c/d")
        event = self.event("POST", f"/v2/a/b/blobs/uploads/?mount={DIGEST}")
        self.assertIs(event.action, Action.MOUNT)
        self.assertEqual(str(event.target.source), "c/d")

    def test_mount_that_failed(self) -> None:
        """A mount that becomes an upload tells nothing."""
        path = f"/v2/a/b/blobs/uploads/?mount={DIGEST}&from=c/d"
        self.assertEqual(self.events("POST", path), [])
        self.assertEqual(self.got.status, 202)

    def test_delete(self) -> None:
        """A deleted blob is told by its digest, without a place to fetch it."""
        self.push_blob()
        event = self.event("DELETE", f"/v2/a/b/blobs/{DIGEST}")
        self.assertIs(event.action, Action.DELETE)
        target = event.target
        self.assertEqual((str(target.repository), str(target.digest)), ("a/b", DIGEST))
        self.assertEqual((target.descriptor, target.url, target.tag), (None, "", None))

    def test_delete_that_failed(self) -> None:
        """What was not there, or may not be deleted, is not told."""
        path = f"/v2/a/b/blobs/{DIGEST}"
        self.assertEqual(self.events("DELETE", path), [])
        self.push_blob()
        self.house.serve_registry(gate=Gate(deletes=False))
        self.assertEqual(self.events("DELETE", path), [])
        self.assertEqual(self.got.status, 405)


class ManifestEventTests(EventCase):
    """Manifests and tags."""

    def setUp(self) -> None:
        super().setUp()
        self.content = self.image()
        self.digest = digest_of(self.content)
        self.url = f"{REGISTRY}/v2/a/b/manifests/{self.digest}"

    def assertManifest(self, target: EventTarget, tag: str | None) -> None:
        assert target.descriptor is not None
        found = target.descriptor
        self.assertEqual(
            (found.media_type, str(found.digest), found.size),
            (IMAGE, self.digest, len(self.content)),
        )
        self.assertEqual((str(target.repository), target.url), ("a/b", self.url))
        self.assertEqual(None if target.tag is None else str(target.tag), tag)
        self.assertEqual(
            [str(item.digest) for item in target.references],
            [DIGEST, digest_of(b"layer")],
        )

    def test_push_by_tag(self) -> None:
        """A push by tag tells the tag, and what the manifest is made of."""
        path = "/v2/a/b/manifests/latest"
        event = self.event("PUT", path, self.content, Content_Type=IMAGE)
        self.assertIs(event.action, Action.PUSH)
        self.assertManifest(event.target, "latest")

    def test_push_by_digest(self) -> None:
        """A push by digest tells no tag."""
        path = f"/v2/a/b/manifests/{self.digest}"
        event = self.event("PUT", path, self.content, Content_Type=IMAGE)
        self.assertManifest(event.target, None)

    def test_push_that_failed(self) -> None:
        """A manifest that is refused is not told."""
        path = "/v2/a/b/manifests/latest"
        self.assertEqual(self.events("PUT", path, b"{}", Content_Type=IMAGE), [])
        self.assertEqual(self.got.status, 400)

    def test_pull(self) -> None:
        """A manifest that is sent is told, with the tag if that was asked for."""
        self.put(self.content)
        for reference, tag in (("latest", "latest"), (self.digest, None)):
            event = self.event("GET", f"/v2/a/b/manifests/{reference}")
            self.assertIs(event.action, Action.PULL)
            self.assertManifest(event.target, tag)

    def test_head(self) -> None:
        """HEAD of a manifest counts as a pull, as distribution counts it."""
        self.put(self.content)
        for reference, tag in (("latest", "latest"), (self.digest, None)):
            event = self.event("HEAD", f"/v2/a/b/manifests/{reference}")
            self.assertIs(event.action, Action.PULL)
            self.assertManifest(event.target, tag)

    def test_no_pull(self) -> None:
        """What is missing, not acceptable, or known already is not pulled."""
        self.put(self.content)
        found = self.events("GET", "/v2/a/b/manifests/unknown")
        self.assertEqual((self.got.status, found), (404, []))
        path = "/v2/a/b/manifests/latest"
        found = self.events("GET", path, Accept="text/plain")
        self.assertEqual((self.got.status, found), (404, []))
        found = self.events("GET", path, If_None_Match=f'"{self.digest}"')
        self.assertEqual((self.got.status, found), (304, []))

    def test_delete_by_digest(self) -> None:
        """A deleted manifest is told, and each tag that went with it."""
        self.put(self.content)
        self.put(self.content, "other")
        first, *others = self.events("DELETE", f"/v2/a/b/manifests/{self.digest}")
        self.assertEqual(str(first.target.digest), self.digest)
        self.assertEqual((first.target.tag, first.target.url), (None, ""))
        tags = {str(event.target.tag) for event in others}
        self.assertEqual(tags, {"latest", "other"})
        for event in (first, *others):
            self.assertIs(event.action, Action.DELETE)
            self.assertEqual(str(event.target.repository), "a/b")
            self.assertIsNone(event.target.descriptor)
        for event in others:
            self.assertEqual((event.target.digest, event.target.url), (None, ""))

    def test_delete_that_ends_half_way(self) -> None:
        """Of one that the storage ended in the middle, the tags that are gone."""
        self.put(self.content)
        self.put(self.content, "other")
        delete = type(self.house.driver).delete
        path = layout.tag(RepositoryName("a/b"), Tag("other"))
        broken = DriverError("inmemory", path, "broken")

        def fails(driver, path: str, durable: bool = True):
            at_other = path == broken.path
            return fail(broken) if at_other else delete(driver, path, durable)

        with patch.object(type(self.house.driver), "delete", fails):
            event = self.event("DELETE", f"/v2/a/b/manifests/{self.digest}")
        self.assertEqual(str(event.target.tag), "latest")
        self.assertEqual(self.got.status, 503)
        (told,) = json.loads(self.got.body)["errors"]
        self.assertEqual(told["detail"]["deleted tags"], ["latest"])

    def test_delete_tag(self) -> None:
        """A deleted tag is told alone."""
        self.put(self.content)
        event = self.event("DELETE", "/v2/a/b/manifests/latest")
        target = event.target
        self.assertIs(event.action, Action.DELETE)
        self.assertEqual((str(target.repository), str(target.tag)), ("a/b", "latest"))
        self.assertEqual(
            (target.digest, target.descriptor, target.url), (None, None, "")
        )

    def test_delete_that_failed(self) -> None:
        """What was not there is not told."""
        for reference in (self.digest, "unknown"):
            self.assertEqual(
                self.events("DELETE", f"/v2/a/b/manifests/{reference}"), []
            )
            self.assertEqual(self.got.status, 404)

    def test_lists_tell_nothing(self) -> None:
        """Looking at lists is no pull."""
        self.put(self.content)
        for path in (
            "/v2/",
            "/v2/_catalog",
            "/v2/a/b/tags/list",
            f"/v2/a/b/referrers/{self.digest}",
        ):
            self.assertEqual(self.events("GET", path), [], path)
            self.assertEqual(self.got.status, 200)


class RequestTests(EventCase):
    """Who did it, and when they are answered."""

    def test_requested(self) -> None:
        """An event says by which request, and by whom."""
        self.house = TestHouse(events=self.record, controller=SillyAccess("r", "s"))
        path = f"/v2/a/b/blobs/uploads/?digest={DIGEST}"
        event = self.event(
            "POST", path, CONTENT, User_Agent="test/1", Authorization="x"
        )
        requested = event.requested
        self.assertEqual(requested.method, "POST")
        self.assertEqual(requested.user_agent, "test/1")
        self.assertEqual(requested.user, "silly")
        self.assertEqual(requested.host, "registry.example")
        exchange = self.house.recorder.exchanges[-1]
        self.assertEqual(requested.request_id, exchange.request_id)

    def test_refused(self) -> None:
        """What is refused tells nothing."""
        self.house = TestHouse(events=self.record, controller=SillyAccess("r", "s"))
        path = f"/v2/a/b/blobs/uploads/?digest={DIGEST}"
        self.assertEqual(self.events("POST", path, CONTENT), [])
        self.assertEqual(self.got.status, 401)

    def test_nobody_listens(self) -> None:
        """While nobody listens nothing is made."""
        self.record.listening = False
        self.put(self.image())
        self.assertEqual(self.events("GET", "/v2/a/b/manifests/latest"), [])
        self.assertEqual(self.events("GET", f"/v2/a/b/blobs/{DIGEST}"), [])
        self.assertEqual(self.events("DELETE", f"/v2/a/b/blobs/{DIGEST}"), [])

    def test_push_is_answered_when_it_is_kept(self) -> None:
        """A client is told of its push when the event is safe, not before."""
        self.record.holds = True
        url = f"{REGISTRY}/v2/a/b/blobs/uploads/?digest={DIGEST}"
        asked = HTTPClient(self.house.registry_wire).post(
            url, data=SmallBody(CONTENT), unbuffered=True
        )
        for _ in range(50):
            self.house.pump()
            self.house.clock.advance(0.01)
        self.assertNoResult(asked)
        (held,) = self.record.held
        held.callback(None)
        self.assertEqual(self.house.settle(asked).code, 201)

    def test_pull_through_cache(self) -> None:
        """A cache tells of pulls, and nothing of what it fetches for them."""
        digest = self.house.upstream.add_blob("lib/x", CONTENT)
        for _ in range(2):
            self.record.events.clear()
            self.assertEqual(self.house.get(f"/v2/lib/x/blobs/{digest}").body, CONTENT)
            (event,) = self.record.events
            self.assertIs(event.action, Action.PULL)
            self.assertEqual(str(event.target.repository), "lib/x")
            self.assertEqual(event.target.descriptor.size, len(CONTENT))
