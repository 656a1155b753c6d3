"""URLs of uploads, and what they bring back."""

from __future__ import annotations

from twisted.internet.defer import fail

from tests.web.test_uploads import UploadCase
from txregistry.interfaces.driver import DriverError
from txregistry.spec.uploadtoken import UploadState
from txregistry.testing.house import TestHouse
from txregistry.web.upload_answers import begun_at


class StateTests(UploadCase):
    """States in URLs."""

    def test_foreign_state(self) -> None:
        """A state that this registry did not give is refused."""
        location = self.begin().partition("?")[0]
        got = self.house.send("PATCH", f"{location}?_state=abcd", b"x")
        self.assertEqual(self.code(got), (404, "BLOB_UPLOAD_INVALID"))

    def test_begun_at(self) -> None:
        """The start of an upload is that of an empty one, if it is a time."""
        begun = "2023-11-14T22:13:20Z"
        for state, expected in (
            (UploadState("a/b", "id", 0, begun), 1_700_000_000),
            (UploadState("a/b", "id", 1, begun), None),
            (UploadState("a/b", "id", 0, "soon"), None),
            (None, None),
        ):
            self.assertEqual(begun_at(state), expected)


class KilledTests(UploadCase):
    """A process that was killed has told clients of uploads that it only held."""

    def kill(self, seconds: float = 1.0) -> None:
        """Start anew on what is on the disk, some seconds later."""
        old = self.house
        old.pending_uploads._held.clear()
        old.clock.advance(seconds)
        self.house = TestHouse(driver=old.driver, clock=old.clock)

    def test_goes_on_by_its_state(self) -> None:
        """Its client asks, and sends, as if nothing had been."""
        location = self.begin()
        self.kill()
        self.assertEqual(self.leftovers(), [])
        got = self.house.send("GET", location)
        self.assertEqual((got.status, got.header("Range")), (204, "0-0"))
        self.assertEqual(self.put(location, self.content).status, 201)
        self.assertEqual(self.blob().body, self.content)
        self.assertEqual(self.put(location, self.content).status, 404)

    def test_chunk(self) -> None:
        """Whichever way it sends, and however soon."""
        location = self.begin()
        self.kill(0.0)
        got = self.house.send("PATCH", location, self.content[:1000])
        self.assertEqual((got.status, got.header("Range")), (202, "0-999"))
        got = self.put(got.header("Location"), self.content[1000:])
        self.assertEqual(got.status, 201)

    def test_not_begun(self) -> None:
        """One of which the client hears nothing but an error is not kept."""
        error = DriverError("memory", "/", "full")
        self.patch(type(self.house.driver), "put", lambda *_, **__: fail(error))
        where = "/v2/a/b/blobs/uploads/?digest-algorithm=sha512"
        self.assertEqual(self.house.send("POST", where).status, 503)
        self.assertEqual(self.house.pending_uploads._held, {})
        self.assertEqual(len(self.flushLoggedErrors(DriverError)), 1)

    def test_ended_by_its_successor(self) -> None:
        """What was written down, and has ended since, does not come back."""
        kept, dropped = self.begin(), self.begin()
        self.house.settle(self.house.pending_uploads.stopService())
        self.kill(5.0)
        self.assertEqual(self.put(kept, self.content).status, 201)
        self.assertEqual(self.house.send("DELETE", dropped).status, 204)
        for location in (kept, dropped):
            got = self.house.send("GET", location)
            self.assertEqual(self.code(got), (404, "BLOB_UPLOAD_UNKNOWN"))
        self.assertEqual(self.leftovers(), [])

    def test_others_do_not(self) -> None:
        """One without a state, of long ago, or with something in it."""
        location, early = self.begin(), self.begin()
        got = self.house.send("PATCH", location, b"some")
        full = got.header("Location")
        self.house.send("DELETE", full)
        self.kill()
        for gone in (early.partition("?")[0], full):
            got = self.house.send("GET", gone)
            self.assertEqual(self.code(got), (404, "BLOB_UPLOAD_UNKNOWN"))
        self.kill(100)
        got = self.house.send("GET", early)
        self.assertEqual(self.code(got), (404, "BLOB_UPLOAD_UNKNOWN"))
