"""What stands on every answer: of ours, and of ``http.headers``."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.digest import Digest
from txregistry.testing.house import TestHouse
from txregistry.testing.wire import Wire
from txregistry.web import router
from txregistry.web.http.serving import make_serving
from txregistry.web.http.site import RegistrySite

SNIFF = "X-Content-Type-Options"
BLOB = f"/v2/a/b/blobs/{Digest.of(b'blob')}"


class HeaderTests(SynchronousTestCase):
    """A browser takes nothing that is served for a page."""

    def setUp(self) -> None:
        self.house = TestHouse()
        path = f"/v2/a/b/blobs/uploads/?digest={Digest.of(b'blob')}"
        self.house.send("POST", path, b"<html>")
        self.house.send("POST", path, b"blob")

    def serve(self, headers: Mapping[str, tuple[str, ...]]) -> None:
        house = self.house
        house.registry = RegistrySite(
            make_serving(house.registry.resource, house.recorder, headers=headers),
            house.clock,
        )
        house.registry_wire = Wire(house.registry, house.clock)

    def of(self, path: str, method: str = "GET", **headers: str) -> str | None:
        return self.house.send(method, path, **headers).header(SNIFF)

    def assertAll(self, wanted: str | None) -> None:
        """Blobs, parts of them, and errors of every kind have it, or none does."""
        for path, status in (
            (BLOB, 200),
            (f"/v2/a/b/blobs/{Digest.of(b'none')}", 404),
            ("/nowhere", 404),
            ("/v2/A/tags/list", 400),
        ):
            for method in ("GET", "HEAD"):
                got = self.house.send(method, path)
                self.assertEqual((got.status, got.header(SNIFF)), (status, wanted))
        self.assertEqual(self.of(BLOB, Range="bytes=0-1"), wanted)
        self.assertEqual(self.of(BLOB, Range="bytes=0-0,2-2"), wanted)
        self.assertEqual(self.of(BLOB, Range="bytes=9-"), wanted)
        self.assertEqual(self.of(BLOB, If_None_Match="*"), wanted)
        self.assertEqual(self.of("/v2/", "PUT"), wanted)

    def test_by_default(self) -> None:
        """Nothing is configured: the type that is said is not to be doubted."""
        self.assertAll("nosniff")

    def test_other_headers(self) -> None:
        """Other headers of the configuration change nothing of it."""
        self.serve({"X-Other": ("1",)})
        self.assertAll("nosniff")

    def test_configured(self) -> None:
        """What ``http.headers`` says of it holds, in any case of its name."""
        for name in (SNIFF, SNIFF.lower()):
            self.serve({name: ("other",)})
            self.assertAll("other")

    def test_taken_away(self) -> None:
        """Without a value there it is not sent."""
        self.serve({SNIFF: ()})
        self.assertAll(None)

    def test_failure_that_cannot_be_told(self) -> None:
        """The page of last resort has it as well."""
        self.patch(router.Router, "_handle", lambda *_: 1 / 0)
        self.patch(router.Router, "_run", lambda *_: 1 / 0)
        got = self.house.send("GET", "/v2/")
        self.assertEqual((got.status, got.header(SNIFF)), (500, "nosniff"))
        self.flushLoggedErrors(ZeroDivisionError)


class DateTests(SynchronousTestCase):
    """The time on answers (RFC 9110, 6.6.1)."""

    def test_on_every_answer(self) -> None:
        """Each answer has the time of the clock, in the form of HTTP."""
        house = TestHouse(clock=Clock())
        for seconds in (0, 7):
            house.clock.advance(seconds)
            expected = f"Tue, 14 Nov 2023 22:13:2{seconds} GMT"
            self.assertEqual(house.send("GET", "/v2/").header("Date"), expected)
