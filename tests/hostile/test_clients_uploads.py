"""Uploads of others: nobody goes on with one that has only seen its id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from txregistry.interfaces.access import Access, Grant, IAccessController, RequestFacts
from txregistry.interfaces.driver import IStorageDriver
from txregistry.spec.digest import Digest
from txregistry.testing.answers import Got
from txregistry.testing.house import TestHouse
from txregistry.web.http.request import RegistryRequest

CONTENT = b"what its owner sends"


class OthersUploadTests(SynchronousTestCase):
    """One who may push to the same repository, and has the id from a log."""

    def setUp(self) -> None:
        self.house = TestHouse()
        got = self.house.send("POST", "/v2/a/b/blobs/uploads/")
        self.location = got.header("Location") or ""
        self.bare = self.location.partition("?")[0]

    def finish(self) -> int:
        """Go on as the owner does."""
        path = f"{self.location}&digest={Digest.of(CONTENT)}"
        return self.house.send("PUT", path, CONTENT).status

    def test_nothing_without_the_state(self) -> None:
        """No method does anything to an upload whose state is not sent."""
        put = f"{self.bare}?digest={Digest.of(b'x')}"
        for method, path, body in (
            ("PATCH", self.bare, b"x"),
            ("PUT", put, b"x"),
            ("DELETE", self.bare, None),
            ("GET", self.bare, None),
            ("HEAD", self.bare, None),
        ):
            got = self.house.send(method, path, body)
            self.assertEqual(got.status, 404, method)
            self.assertIsNone(got.header("Location"), method)
        self.assertEqual(self.finish(), 201)

    def test_none_while_another_writes(self) -> None:
        """Who writes is not made to leave by one who lacks the state."""
        self.house.send("PATCH", self.location, CONTENT[:5])
        got = self.house.send("PATCH", self.bare, b"x")
        self.assertIn(b"BLOB_UPLOAD_INVALID", got.body)

    def test_unknown_is_unknown(self) -> None:
        """An upload that is not there is unknown, with and without a state."""
        self.house.send("DELETE", self.location)
        for path in (self.bare, self.location):
            got = self.house.send("GET", path)
            self.assertEqual(got.status, 404)
            self.assertIn(b"BLOB_UPLOAD_UNKNOWN", got.body)

    def test_log(self) -> None:
        """Neither its id nor its state is in what is told of a request."""
        upload_id = self.bare.rpartition("/")[2]
        self.house.send("GET", self.location, Referer=self.location)
        exchange = self.house.recorder.exchanges[-1]
        self.assertEqual(exchange.uri, "/v2/a/b/blobs/uploads/-?_state=-")
        for told in (exchange.uri, exchange.referer):
            self.assertNotIn(upload_id, told)
            self.assertNotIn("_state=e", told)


@implementer(IAccessController)
@attrs.define(eq=False)
class Named:
    """Lets everybody in, under a name."""

    user: str = ""

    def authorize(
        self, facts: RequestFacts, wanted: Sequence[Access]
    ) -> Deferred[Grant]:
        return succeed(Grant(self.user, everything=True))


class UnfinishedTests(SynchronousTestCase):
    """How many uploads may be begun and not finished."""

    def setUp(self) -> None:
        self.house = TestHouse()
        self.serve(3, 5)

    def serve(self, of_one: int, of_all: int, lifetime: float = 0.0) -> None:
        self.house.serve_registry(
            max_uploads_per_user=of_one, max_uploads=of_all, upload_lifetime=lifetime
        )

    def begin(self, user: str = "") -> Got:
        """Begin one, as some user."""
        if user:
            cast(Named, self.house.controller).user = user
        return self.house.send("POST", "/v2/a/b/blobs/uploads/")

    def fill(self) -> list[str]:
        """Begin as many as one may."""
        return [self.begin().header("Location") or "" for _ in range(3)]

    def test_of_one(self) -> None:
        """One more than a user may have is 429, and begins nothing."""
        self.fill()
        before = self.house.paths()
        got = self.begin()
        self.assertEqual(got.status, 429)
        self.assertIn(b"TOOMANYREQUESTS", got.body)
        self.assertEqual(self.house.paths(), before)

    def test_ended_ones(self) -> None:
        """What is finished, refused or thrown away counts no more."""
        good, bad, gone = self.fill()
        content = f"digest={Digest.of(CONTENT)}"
        self.assertEqual(
            self.house.send("PUT", f"{good}&{content}", CONTENT).status, 201
        )
        self.assertEqual(self.house.send("PUT", f"{bad}&{content}", b"x").status, 400)
        self.assertEqual(self.house.send("DELETE", gone).status, 204)
        self.assertEqual([self.begin().status for _ in range(4)], [202] * 3 + [429])

    def test_going_on(self) -> None:
        """What has begun goes on, however many there are."""
        first, *_ = self.fill()
        self.assertEqual(self.house.send("PATCH", first, CONTENT).status, 202)

    def test_others(self) -> None:
        """What one user has begun keeps no other from it, until all are too many."""
        self.house.controller = Named()
        self.serve(3, 5)
        self.assertEqual([self.begin("x").status for _ in range(4)], [202] * 3 + [429])
        self.assertEqual([self.begin("y").status for _ in range(3)], [202] * 2 + [429])

    def test_addresses_of_one(self) -> None:
        """Of IPv6 all addresses of one customer are one, where nobody has a name."""
        statuses = []
        for number in range(4):
            peer = property(lambda _, at=number: f"2001:db8::{at}")
            self.patch(RegistryRequest, "peer", peer)
            statuses.append(self.begin().status)
        self.assertEqual(statuses, [202] * 3 + [429])
        self.patch(RegistryRequest, "peer", property(lambda _: "2001:db8:0:1::1"))
        self.assertEqual(self.begin().status, 202)

    def test_in_one_request(self) -> None:
        """Blobs that come in one request, and mounts, leave nothing to be counted."""
        for number in range(5):
            content = b"%d" % number
            path = f"/v2/a/b/blobs/uploads/?digest={Digest.of(content)}"
            self.assertEqual(self.house.send("POST", path, content).status, 201)
            path = f"/v2/c/d/blobs/uploads/?mount={Digest.of(content)}&from=a/b"
            self.assertEqual(self.house.send("POST", path).status, 201)
        self.assertEqual(self.begin().status, 202)

    def test_purged(self) -> None:
        """What was purged counts no more, whoever may notice."""
        self.serve(3, 5, lifetime=1000.0)
        self.fill()
        self.house.clock.advance(1001)
        self.assertEqual(self.begin().status, 202)

    def test_found_gone(self) -> None:
        """What is found to have gone counts no more."""
        first, *_ = self.fill()
        self.house.clock.advance(2)
        directory = "/docker/registry/v2/repositories/a/b/_uploads"
        driver = cast(IStorageDriver, self.house.driver)
        self.house.settle(driver.delete(directory))
        self.assertEqual(self.house.send("GET", first).status, 404)
        self.assertEqual(self.begin().status, 202)

    def test_off(self) -> None:
        """With 0 there may be any number."""
        self.serve(0, 0)
        self.assertEqual({self.begin().status for _ in range(20)}, {202})
