"""Where the parts of a file go."""

from __future__ import annotations

from tests.storagedriver.s3.case import StoreCase

MIB = 1024 * 1024


class TargetTests(StoreCase):
    """An object in between goes only when its successor has as much."""

    def test_object_stays_until_replaced(self) -> None:
        """Whoever looks meanwhile finds what was there."""
        self.store.objects["w"] = bytes(6 * MIB)
        writer = self.ok(self.driver.writer("/w", 6 * MIB))
        self.assertIn("w", self.store.objects)
        writer.write(b"more")
        self.ok(writer.flush(durable=True))
        self.assertNotIn("w", self.store.objects)
        (began,) = self.store.uploads.values()
        self.assertEqual([len(part) for part in began.parts.values()], [6 * MIB, 4])

    def test_failed_beginning_is_tried_again(self) -> None:
        """What could not begin leaves what was there as it is."""
        self.store.objects["w"] = b"here"
        writer = self.ok(self.driver.writer("/w", 4))
        writer.write(b"!")
        self.store.broken = [(403, b"")]
        self.fails(writer.flush(durable=True))
        self.assertEqual(self.store.objects, {"w": b"here"})
        self.ok(writer.flush(durable=True))
        self.ok(writer.commit())
        self.assertEqual(self.store.objects, {"w": b"here!"})
