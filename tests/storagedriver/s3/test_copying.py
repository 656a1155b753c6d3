"""How large objects are divided."""

from __future__ import annotations

from itertools import pairwise

from twisted.trial.unittest import SynchronousTestCase

from tests.storagedriver.s3.case import StoreCase
from txregistry.storagedriver.s3.copying import spans
from txregistry.storagedriver.s3.request import Refused
from txregistry.storagedriver.s3.settings import MAX_COPY_BYTES, MIN_PART_BYTES

MIB = 1024 * 1024


class CopyTests(StoreCase):
    """A large object."""

    def test_one_part_fails(self) -> None:
        """The others are not asked for any more, and nothing is left."""
        self.use(multipartcopymaxconcurrency=1)
        self.store.objects["a"] = bytes(160 * MIB)
        denied = b"<Error><Code>AccessDenied</Code></Error>"
        upload = self.store.xml(
            "InitiateMultipartUploadResult", "<UploadId>u</UploadId>"
        )
        self.store.broken = [(200, upload), (403, denied)]
        copies = self.driver._parts.copies
        done = copies.copy("a", "b", 160 * MIB)
        self.assertEqual(self.fails(done, Refused).failed.code, "AccessDenied")
        self.place.pump()
        # The second begins as the first ends, before that is known to have failed.
        asked = [line.partition(" ")[0] for line in self.store.asked]
        self.assertEqual(asked, ["POST", "PUT", "PUT", "DELETE"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_copies_in_parts(self) -> None:
        """A store that does not know them copies the whole, if it is not too large."""
        self.store.objects["a"] = bytes(40 * MIB)
        upload = self.store.xml(
            "InitiateMultipartUploadResult", "<UploadId>u</UploadId>"
        )
        unknown = b"<Error><Code>NotImplemented</Code></Error>"
        for size, copied in ((40 * MIB, True), (MAX_COPY_BYTES + 1, False)):
            parts = len(spans(size, 32 * MIB))
            self.store.broken = [(200, upload), *[(501, unknown)] * parts]
            done = self.driver._parts.copies.copy("a", "b", size)
            if copied:
                self.ok(done)
            else:
                self.assertTrue(self.fails(done, Refused).is_unknown)
            self.assertEqual(self.store.objects.pop("b", None) is not None, copied)


class SpanTests(SynchronousTestCase):
    """Parts of a copy."""

    def test_spans(self) -> None:
        """They cover all, and none is too small."""
        for size in (5 * MIB, 5 * MIB + 1, 63 * MIB, 64 * MIB + 1, 9999 * MIB):
            found = spans(size, 32 * MIB)
            self.assertEqual((found[0][0], found[-1][1]), (0, size))
            for (_, end), (start, _) in pairwise(found):
                self.assertEqual(end, start)
            self.assertGreaterEqual(min(b - a for a, b in found), MIN_PART_BYTES)

    def test_at_most_ten_thousand(self) -> None:
        """However large it is."""
        self.assertLessEqual(len(spans(5 << 40, 5 * MIB)), 10_000)

    def test_at_most_what_is_copied_at_once(self) -> None:
        """However large the parts are to be."""
        for size in (MAX_COPY_BYTES, 9 << 30, 11 << 30):
            found = spans(size, MAX_COPY_BYTES)
            self.assertLessEqual(max(b - a for a, b in found), MAX_COPY_BYTES)
            self.assertEqual((found[0][0], found[-1][1]), (0, size))
