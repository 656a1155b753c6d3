"""States of digests in the form of Go."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.spec.go_states import ABC_SHA256, ABC_SHA512
from txregistry.spec.hashstate import FAMILIES, HashState, decode_state, encode_state


class StateTests(SynchronousTestCase):
    """The form that Go writes."""

    def test_golden_bytes(self) -> None:
        """Magic, words, padded block and length are written as Go writes them."""
        for algorithm, golden in (("sha256", ABC_SHA256), ("sha512", ABC_SHA512)):
            state = decode_state(algorithm, golden)
            assert state is not None
            self.assertEqual((state.pending, state.length), (b"abc", 3))
            self.assertEqual(encode_state(state), golden)

    def test_lengths(self) -> None:
        """It is 108 bytes for SHA-256 and 204 for the others."""
        lengths = {name: family.form.size for name, family in FAMILIES.items()}
        self.assertEqual(lengths, {"sha256": 108, "sha384": 204, "sha512": 204})

    def test_rest_of_an_earlier_block_is_not_read(self) -> None:
        """Go does not clear a block's old bytes; what counts is the length."""
        content = bytearray(ABC_SHA256)
        content[4 + 32 + 3 : 4 + 32 + 64] = b"x" * 61
        state = decode_state("sha256", bytes(content))
        assert state is not None
        self.assertEqual(state.pending, b"abc")

    def test_foreign_bytes(self) -> None:
        """What is of another algorithm, version or length is no state."""
        for content in (
            b"",
            ABC_SHA256[:-1],
            ABC_SHA256 + b"\x00",
            b"sha\x02" + ABC_SHA256[4:],
            ABC_SHA512,
            b"\x00" * 108,
            b"\x0d\xff\x81\x02\x01\x02\xff\x82 a gob of an old release",
        ):
            self.assertIsNone(decode_state("sha256", content))
        self.assertIsNone(decode_state("sha384", ABC_SHA512))

    def test_round_trip(self) -> None:
        """Reading what was written gives the same state."""
        for algorithm, family in FAMILIES.items():
            for length in (0, 1, family.block_bytes - 1, family.block_bytes, 2**60 + 5):
                pending = b"p" * (length % family.block_bytes)
                state = HashState(algorithm, tuple(range(1, 9)), pending, length)
                self.assertEqual(decode_state(algorithm, encode_state(state)), state)
