"""Ranges of bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.errors import RangeInvalid
from txregistry.spec.ranges import ByteRange, parse_content_range, parse_range


class RangeTests(SynchronousTestCase):
    """Byte ranges."""

    def test_one(self) -> None:
        """First to last, from, and the last so many."""
        for header, expected in (
            ("bytes=0-0", (0, 1)),
            ("bytes=0-", (0, 10)),
            ("bytes=9-", (9, 10)),
            ("bytes=-3", (7, 10)),
            ("bytes=-99", (0, 10)),
            ("bytes=2-99", (2, 10)),
            ("Bytes = 1-2", (1, 3)),
        ):
            self.assertEqual(parse_range(header, 10), [ByteRange(*expected)])

    def test_many(self) -> None:
        """Several parts, in the order asked for; those that exist."""
        found = parse_range("bytes=8-9, 0-1,,50-60", 10)
        self.assertEqual(found, [ByteRange(8, 10), ByteRange(0, 2)])

    def test_a_thousand(self) -> None:
        """1,024 parts are answered, as chunked layers need them."""
        parts = ",".join(f"{n * 10}-{n * 10 + 4}" for n in range(1024))
        self.assertEqual(len(parse_range(f"bytes={parts}", 20_000)), 1024)

    def test_whole(self) -> None:
        """What is not understood, or amplifies, is answered whole."""
        for header in (
            None,
            "",
            "bytes",
            "items=0-1",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-2,x",
            "bytes=0-9,0-9,0-9",
            "bytes=" + ",".join(["0-0"] * 3000),
        ):
            self.assertIsNone(parse_range(header, 10))

    def test_unsatisfiable(self) -> None:
        """No byte of it exists."""
        for header in ("bytes=10-", "bytes=10-20", "bytes=-0"):
            with self.assertRaises(RangeInvalid) as caught:
                parse_range(header, 10)
            self.assertEqual(caught.exception.headers, {"Content-Range": "bytes */10"})

    def test_backwards(self) -> None:
        """A range that ends before it begins is refused, alone and among others."""
        for header in ("bytes=500-0", "bytes=5-2", "bytes=0-1,5-2", "bytes=5-2,0-1"):
            for size in (0, 10, 1000):
                with self.assertRaises(RangeInvalid) as caught:
                    parse_range(header, size)
                told = {"Content-Range": f"bytes */{size}"}
                self.assertEqual(caught.exception.headers, told)

    @given(st.text(alphabet="bytes=0123456789-, ", max_size=40), st.integers(0, 50))
    def test_any(self, header: str, size: int) -> None:
        """Whatever is asked, parts lie within the content."""
        try:
            parts = parse_range(header, size)
        except RangeInvalid:
            return
        for part in parts or ():
            self.assertTrue(0 <= part.start < part.end <= size)

    def test_content_range(self) -> None:
        """An upstream's answer, with and without a total."""
        found = parse_content_range("bytes 5-9/10")
        self.assertEqual(found, (ByteRange(5, 10), 10))
        self.assertEqual(parse_content_range("bytes 5-9/*"), (ByteRange(5, 10), None))
        for text in (None, "", "bytes 9-5/10", "bytes */10", "5-9/10"):
            self.assertIsNone(parse_content_range(text))
