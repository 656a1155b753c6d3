"""Files in parts."""

from __future__ import annotations

from tests.storagedriver.s3.case import StoreCase
from txregistry.storagedriver.s3.answers import Part
from txregistry.storagedriver.s3.request import Refused

_SHA = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"


class MultipartTests(StoreCase):
    """What may go wrong with them."""

    def test_late_failure(self) -> None:
        """An operation that fails after a good status is asked for again."""
        self.store.objects["a"] = b"x"
        late = b"<?xml version='1.0'?><Error><Code>InternalError</Code></Error>"
        copies = self.driver._parts.copies
        for body in (late, b" " * 1000 + late, b"", b"<Other/>", b"<html>"):
            self.store.broken = [(200, body)] * 2
            began = self.clock.seconds()
            self.later(copies.copy("a", "b", 1))
            self.assertGreater(self.clock.seconds(), began)
            self.assertEqual(self.store.objects.pop("b"), b"x")
        self.store.broken = [(200, late)] * 9
        error = self.fails(copies.copy("a", "c", 1), Refused)
        self.assertEqual(error.failed.code, "InternalError")

    def test_late_refusal(self) -> None:
        """What does not pass is asked for once."""
        parts = self.driver._parts.multiparts
        self.store.asked.clear()
        for code in ("InvalidPart", "AccessDenied", "NoSuchUpload"):
            late = f"<?xml version='1.0'?>\n  <Error><Code>{code}</Code></Error>"
            self.store.broken = [(200, late.encode())]
            done = parts.complete("k", "u", [Part(1, "e", 1)])
            error = self.failureResultOf(done, Refused).value
            self.assertEqual(error.failed.code, code)
        self.assertEqual(self.store.asked.count("POST /k uploadId"), 3)

    def test_lost_beginning(self) -> None:
        """Of two that began at once the one that was gone on with is found."""
        parts = self.driver._parts.multiparts
        for number in range(2):
            key = f"k{number}"
            names = [self.ok(parts.begin(key)) for _ in range(2)]
            self.ok(parts.send(key, names[number], 1, [b"x"], _SHA))
            found = self.ok(parts.find(key))
            self.assertEqual((found.upload_id, found.size), (names[number], 1))
        self.ok(parts.begin("k"))
        self.assertEqual(self.ok(parts.find("k")).size, 0)
        self.assertIsNone(self.ok(parts.find("other")))

    def test_lost_completion(self) -> None:
        """An upload that was completed, but not heard of, is complete."""
        parts = self.driver._parts.multiparts
        name = self.ok(parts.begin("k"))
        part = self.ok(parts.send("k", name, 1, [b"x"], _SHA))
        self.ok(parts.complete("k", name, [part]))
        self.ok(parts.complete("k", name, [part]))
        self.store.objects["k"] = b"another"
        self.failureResultOf(parts.complete("k", name, [part]))


_SHA = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
