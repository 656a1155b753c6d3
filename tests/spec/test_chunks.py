"""Where a chunk of an upload belongs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.chunks import Chunk, check_chunk, parse_chunk
from txregistry.spec.errors import SizeInvalid


class ChunkTests(SynchronousTestCase):
    """``Content-Range`` of an upload."""

    def test_forms(self) -> None:
        """With and without a unit, and with a total, the same is meant."""
        for header, wanted in (
            ("", None),
            ("0-0", Chunk(0, 1)),
            ("0-9", Chunk(0, 10)),
            ("10-19", Chunk(10, 20)),
            (" 10-19 ", Chunk(10, 20)),
            ("bytes 10-19", Chunk(10, 20)),
            ("bytes=10-19", Chunk(10, 20)),
            ("bytes 10-19/20", Chunk(10, 20)),
            ("bytes 10-19/*", Chunk(10, 20)),
            ("010-019", Chunk(10, 20)),
            (f"0-{10**18}", Chunk(0, 10**18 + 1)),
        ):
            self.assertEqual(parse_chunk(header), wanted, header)

    def test_malformed(self) -> None:
        """What is none is refused, rather than taken for none at all."""
        for header in (
            " ",
            "-",
            "1-",
            "-1",
            "1-0",
            "a-b",
            "0-9-",
            "0 - 9",
            "+0-9",
            "-1-9",
            "0-9/",
            "0-9/a",
            "0-9,10-19",
            "0x0-0x9",
            "٠-٩",
            "octets 0-9",
            "bytes  0-9",
            "bytes */10",
            "0-" + "9" * 20,
            "1_0-2_0",
        ):
            with self.assertRaises(SizeInvalid, msg=header):
                parse_chunk(header)

    def test_length(self) -> None:
        """What is announced has to be as long as the chunk, if both are known."""
        for chunk, length in ((None, None), (None, 5), (Chunk(5, 8), None)):
            check_chunk(chunk, length)
        check_chunk(Chunk(5, 8), 3)
        for length in (0, 2, 4, 8):
            with self.assertRaises(SizeInvalid):
                check_chunk(Chunk(5, 8), length)

    @given(st.integers(0, 10**18), st.integers(0, 10**6))
    def test_any(self, start: int, more: int) -> None:
        """Both ends are inclusive."""
        chunk = parse_chunk(f"{start}-{start + more}")
        self.assertEqual(chunk, Chunk(start, start + more + 1))
        check_chunk(chunk, more + 1)
