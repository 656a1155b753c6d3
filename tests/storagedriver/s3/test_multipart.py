"""Files in parts."""

from __future__ import annotations

from tests.storagedriver.s3.case import StoreCase

_SHA = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"


class MultipartTests(StoreCase):
    """What may go wrong with them."""

    def test_late_failure(self) -> None:
        """An operation that fails after a good status is asked for again."""
        self.store.objects["a"] = b"x"
        late = b"<?xml version='1.0'?><Error><Code>InternalError</Code></Error>"
        self.store.broken = [(200, b""), (200, late)]
        self.store.broken.pop(0)
        copies = self.driver._parts.copies
        self.ok(copies.copy("a", "b", 1))
        self.assertEqual(self.store.objects["b"], b"x")
        self.store.broken = [(200, late)] * 9
        self.failureResultOf(copies.copy("a", "c", 1))

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
