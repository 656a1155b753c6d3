"""Digests of libcrypto whose states can be taken out."""

from __future__ import annotations

import ctypes
import hashlib
import os
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from tests.spec.go_states import ABC_SHA256, ABC_SHA512, EMPTY_SHA384
from txregistry.spec.hashstate import FAMILIES, HashState, decode_state, encode_state
from txregistry.storage.uploads import sha2


class GoStateTests(SynchronousTestCase):
    """The form that Go writes."""

    def test_golden_bytes(self) -> None:
        """A state is written to the byte as Go's crypto packages write it."""
        library = sha2.load()
        assert library is not None
        for algorithm, content, golden in (
            ("sha256", b"abc", ABC_SHA256),
            ("sha512", b"abc", ABC_SHA512),
            ("sha384", b"", EMPTY_SHA384),
        ):
            hasher = library.new(algorithm)
            hasher.update(content)
            self.assertEqual(encode_state(hasher.state()), golden)

    def test_words_after_a_block(self) -> None:
        """After a full block the words are those of the digest of FIPS 180-4."""
        library = sha2.load()
        assert library is not None
        hasher = library.new("sha256")
        hasher.update(b"a" * 64)
        state = hasher.state()
        self.assertEqual((state.pending, state.length), (b"", 64))
        padding = b"\x80" + b"\x00" * 55 + (512).to_bytes(8, "big")
        hasher.update(padding)
        words = b"".join(word.to_bytes(4, "big") for word in hasher.state().words)
        self.assertEqual(words.hex(), hashlib.sha256(b"a" * 64).hexdigest())

    def test_go_goes_on_from_there(self) -> None:
        """A state that Go has written is gone on with."""
        library = sha2.load()
        assert library is not None
        for algorithm, golden, content in (
            ("sha256", ABC_SHA256, b"abc"),
            ("sha512", ABC_SHA512, b"abc"),
            ("sha384", EMPTY_SHA384, b""),
        ):
            state = decode_state(algorithm, golden)
            assert state is not None
            hasher = library.restore(state)
            hasher.update(b"defgh" * 100)
            wanted = hashlib.new(algorithm, content + b"defgh" * 100).hexdigest()
            self.assertEqual(hasher.hexdigest(), wanted)


class Sha2Tests(SynchronousTestCase):
    """The library's digests."""

    def setUp(self) -> None:
        self.addCleanup(sha2.load.cache_clear)
        library = sha2.load()
        assert library is not None
        self.library = library

    def test_breaks_anywhere(self) -> None:
        """Broken at every offset around every block boundary, digests are right."""
        content = os.urandom(520)
        for algorithm in FAMILIES:
            wanted = hashlib.new(algorithm, content).hexdigest()
            for offset in range(len(content) + 1):
                begun = self.library.new(algorithm)
                begun.update(content[:offset])
                state = decode_state(algorithm, encode_state(begun.state()))
                assert state is not None
                resumed = self.library.restore(state)
                resumed.update(content[offset:])
                self.assertEqual(resumed.hexdigest(), wanted, (algorithm, offset))
                self.assertEqual(resumed.length, len(content))

    def test_many_breaks(self) -> None:
        """A digest may be put aside after every piece."""
        for algorithm in FAMILIES:
            hasher, plain = self.library.new(algorithm), hashlib.new(algorithm)
            for size in (1, 62, 1, 1, 63, 64, 65, 127, 128, 129, 0, 4096):
                piece = os.urandom(size)
                hasher.update(piece)
                plain.update(piece)
                self.assertEqual(hasher.hexdigest(), plain.hexdigest())
                hasher = self.library.restore(hasher.state())
            self.assertEqual(hasher.hexdigest(), plain.hexdigest())

    def test_lengths_beyond_32_bits(self) -> None:
        """The count of bits carries: half a gigabyte is 2 ** 32 of them."""
        for algorithm, family in FAMILIES.items():
            for length in (2**29 - family.block_bytes, 2**29, 2**32, 2**40):
                state = HashState(algorithm, tuple(range(1, 9)), b"", length)
                hasher = self.library.restore(state)
                hasher.update(b"x" * family.block_bytes * 2)
                low = hasher._context.low_bits
                high = hasher._context.high_bits
                width = ctypes.sizeof(hasher._context.words)
                bits = (length + 2 * family.block_bytes) * 8
                self.assertEqual((high << width) + low, bits)

    def test_hexdigest_does_not_end_it(self) -> None:
        """More content can follow a look at the digest."""
        hasher = self.library.new("sha256")
        hasher.update(b"one")
        self.assertEqual(hasher.hexdigest(), hasher.hexdigest())
        hasher.update(b"two")
        self.assertEqual(hasher.hexdigest(), hashlib.sha256(b"onetwo").hexdigest())

    def test_no_library(self) -> None:
        """Without libcrypto there is none."""
        sha2.load.cache_clear()
        with mock.patch.object(sha2, "_NAMES", ()):
            self.assertIsNone(sha2.load())

    def test_library_that_cannot_be_loaded(self) -> None:
        """A library of that name that is none is not used."""
        sha2.load.cache_clear()
        with mock.patch.object(sha2, "_NAMES", ("libnothing.so.0",)):
            self.assertIsNone(sha2.load())

    def test_library_without_the_functions(self) -> None:
        """One that has dropped the old interface is not used."""
        sha2.load.cache_clear()
        with mock.patch.object(sha2, "_NAMES", ("libc.so.6",)):
            self.assertIsNone(sha2.load())

    def test_library_of_another_layout(self) -> None:
        """One whose structure differs gives wrong digests, and is not used."""
        sha2.load.cache_clear()

        class Shifted(ctypes.Structure):
            _fields_ = (
                ("pending", ctypes.c_uint),
                ("digest_bytes", ctypes.c_uint),
                ("words", ctypes.c_uint32 * 8),
                ("low_bits", ctypes.c_uint32),
                ("high_bits", ctypes.c_uint32),
                ("block", ctypes.c_uint8 * 64),
            )

        contexts = {**sha2._CONTEXTS, "sha256": Shifted}
        with mock.patch.object(sha2, "_CONTEXTS", contexts):
            self.assertIsNone(sha2.load())
