"""Clients that leave in the middle of a change, and changes that meet."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import attrs
from treq.client import HTTPClient
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from txregistry.flow.bytes_body import SmallBody
from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.events import Action, Event, IEventSink
from txregistry.spec.digest import Digest
from txregistry.storagedriver.inmemory import MemoryDriver
from txregistry.testing.conversations import REGISTRY
from txregistry.testing.house import TestHouse
from txregistry.testing.repositories import image_manifest

OCI = "application/vnd.oci.image.manifest.v1+json"


@implementer(IEventSink)
@attrs.define(eq=False)
class Heard:
    """Remembers events."""

    listening: bool = True
    events: list[Event] = attrs.field(factory=list)

    def emit(self, event: Event) -> Deferred[None]:
        self.events.append(event)
        return succeed(None)


class LeavingCase(SynchronousTestCase):
    """A registry whose storage can be made to wait."""

    def setUp(self) -> None:
        self.heard = Heard()
        self.house = TestHouse(events=self.heard)
        config = f"/v2/a/b/blobs/uploads/?digest={Digest.of(b'{}')}"
        self.house.send("POST", config, b"{}")
        self.waiting: list[Callable[[], None]] = []

    def hold(self, verb: str) -> None:
        """Let each use of a verb of the driver wait until :meth:`let_go`."""
        real = getattr(MemoryDriver, verb)

        def held(driver: MemoryDriver, *args: Any, **named: Any) -> Deferred[Any]:
            done: Deferred[Any] = Deferred()

            def go() -> None:
                real(driver, *args, **named).chainDeferred(done)

            self.waiting.append(go)
            return done

        self.patch(MemoryDriver, verb, held)

    def let_go(self) -> None:
        while self.waiting:
            self.waiting.pop(0)()
            self.house.pump()

    def begin(self, method: str, path: str, body: bytes | None = None) -> Deferred[Any]:
        asked = HTTPClient(self.house.registry_wire).request(
            method,
            f"{REGISTRY}{path}",
            headers={"Content-Type": OCI},
            data=None if body is None else SmallBody(body),
        )
        self.house.pump()
        return asked

    def leave(self, asked: Deferred[Any]) -> None:
        asked.addErrback(lambda _: None)
        asked.cancel()
        self.house.pump()
        self.assertEqual(self.house.registry.active, set())

    def tags(self) -> list[str]:
        return json.loads(self.house.send("GET", "/v2/a/b/tags/list").body)["tags"]


class LeavingTests(LeavingCase):
    """The client goes while the storage works."""

    def test_put_of_a_tag(self) -> None:
        """What was stored is listed and told, though nobody heard the answer."""
        self.hold("apply")
        self.leave(self.begin("PUT", "/v2/a/b/manifests/v1", image_manifest()))
        self.let_go()
        self.assertEqual(self.tags(), ["v1"])
        self.assertEqual(self.heard.events[-1].action, Action.PUSH)

    def test_delete_of_a_tag(self) -> None:
        """What was deleted is listed no more, and told."""
        self.house.send(
            "PUT", "/v2/a/b/manifests/v1", image_manifest(), Content_Type=OCI
        )
        self.hold("delete")
        self.leave(self.begin("DELETE", "/v2/a/b/manifests/v1"))
        self.let_go()
        self.assertEqual(self.tags(), [])
        self.assertEqual(self.heard.events[-1].action, Action.DELETE)

    def test_commit_of_a_blob(self) -> None:
        """A blob that came whole is there, and no upload is left."""
        content = b"whole"
        digest = Digest.of(content)
        self.hold("apply")
        path = f"/v2/a/b/blobs/uploads/?digest={digest}"
        self.leave(self.begin("POST", path, content))
        self.let_go()
        got = self.house.send("GET", f"/v2/a/b/blobs/{digest}")
        self.assertEqual(got.body, content)
        self.assertEqual([p for p in self.house.paths() if "_uploads" in p], [])

    def test_storage_that_fails_then(self) -> None:
        """A failure that nobody waits for is in the log."""

        def broken(driver: MemoryDriver, changes: Any) -> Deferred[None]:
            done: Deferred[None] = Deferred()
            error = DriverError("inmemory", "/x", "no space")
            self.waiting.append(lambda: done.errback(error))
            return done

        self.patch(MemoryDriver, "apply", broken)
        self.leave(self.begin("PUT", "/v2/a/b/manifests/v1", image_manifest()))
        self.let_go()
        self.assertEqual(len(self.flushLoggedErrors(DriverError)), 1)


class MeetingTests(LeavingCase):
    """Two changes of one manifest, or blob, at a time."""

    def test_alias_deleted_while_it_is_made(self) -> None:
        """A blob is known by a second digest just when that is linked."""
        alias = Digest.of(b"content", "sha512")
        self.delete_while_made(alias, f"digest={alias}", b"content")

    def test_alias_deleted_while_it_is_mounted(self) -> None:
        """It is the same when the link is made from another repository."""
        alias = Digest.of(b"content", "sha512")
        path = f"/v2/c/d/blobs/uploads/?digest={alias}"
        self.house.send("POST", path, b"content")
        self.delete_while_made(alias, f"mount={alias}&from=c/d")

    def delete_while_made(
        self, alias: Digest, query: str, body: bytes | None = None
    ) -> None:
        """Let a deletion and what makes a link meet where it hurts most."""
        real = MemoryDriver.apply

        def slow(driver: MemoryDriver, changes: Any) -> Deferred[None]:
            done: Deferred[None] = Deferred()
            real(driver, changes=changes)  # made, but not told yet
            self.waiting.append(lambda: done.callback(None))
            return done

        self.hold("delete")
        self.patch(MemoryDriver, "apply", slow)
        deleted = self.begin("DELETE", f"/v2/a/b/blobs/{alias}")
        made = self.begin("POST", f"/v2/a/b/blobs/uploads/?{query}", body)
        self.let_go()
        self.house.settle(deleted)
        self.assertEqual(self.house.settle(made).code, 201)
        link = f"/a/b/_layers/sha512/{alias.hex}"
        links = [path for path in self.house.paths() if link in path]
        got = self.house.send("HEAD", f"/v2/a/b/blobs/{alias}")
        self.assertEqual((got.status, len(links)), (200, 1))

    def test_tag_put_while_its_manifest_is_deleted(self) -> None:
        """Whichever is first, no tag is left that stands for nothing."""
        content = image_manifest()
        self.house.send("PUT", "/v2/a/b/manifests/v1", content, Content_Type=OCI)
        self.hold("delete")
        deleted = self.begin("DELETE", f"/v2/a/b/manifests/{Digest.of(content)}")
        put = self.begin("PUT", "/v2/a/b/manifests/v2", content)
        self.let_go()
        self.assertEqual(self.house.settle(deleted).code, 202)
        self.assertEqual(self.house.settle(put).code, 201)
        self.assertEqual(self.tags(), ["v2"])
        got = self.house.send("GET", "/v2/a/b/manifests/v2")
        self.assertEqual((got.status, got.body), (200, content))

    def test_full_disk(self) -> None:
        """A push that the disk has no place for is told so, and can be repeated."""

        def full(driver: MemoryDriver, changes: Any) -> Deferred[None]:
            raise DriverError("inmemory", "/x", "No space left on device")

        real = MemoryDriver.apply
        self.patch(MemoryDriver, "apply", full)
        digest = Digest.of(b"content")
        path = f"/v2/a/b/blobs/uploads/?digest={digest}"
        got = self.house.send("POST", path, b"content")
        self.assertEqual(got.status, 503)
        self.assertIn(b"No space left on device", got.body)
        self.flushLoggedErrors(DriverError)
        self.patch(MemoryDriver, "apply", real)
        self.assertEqual(self.house.send("POST", path, b"content").status, 201)
