"""Digests that can be put aside and gone on with, here or in the Go registry."""

from __future__ import annotations

import ctypes
import hashlib
import os
from unittest import mock

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.hashstate import FAMILIES, HashState, decode_state, encode_state
from txregistry.storage.uploads import sha2
from txregistry.storage.uploads.hashing import Hashes, HashStates, hash_file
from txregistry.storagedriver.inmemory import MemoryDriver

#: What Go's crypto/sha256 marshals after ``Write([]byte("abc"))``.
ABC_SHA256 = bytes.fromhex(
    "73686103"
    "6a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab5be0cd19"
    "616263" + "00" * 61 + "0000000000000003"
)

#: And crypto/sha512 after the same, with the starting words of FIPS 180-4, 5.3.5.
ABC_SHA512 = bytes.fromhex(
    "73686107"
    "6a09e667f3bcc908bb67ae8584caa73b3c6ef372fe94f82ba54ff53a5f1d36f1"
    "510e527fade682d19b05688c2b3e6c1f1f83d9abfb41bd6b5be0cd19137e2179"
    "616263" + "00" * 125 + "0000000000000003"
)

#: SHA-384 begins with other words (FIPS 180-4, 5.3.4).
EMPTY_SHA384 = bytes.fromhex(
    "73686104"
    "cbbb9d5dc1059ed8629a292a367cd5079159015a3070dd17152fecd8f70e5939"
    "67332667ffc00b318eb44a8768581511db0c2e0d64f98fa747b5481dbefa4fa4"
    + "00" * 128
    + "0000000000000000"
)

DIRECTORY = "/u/hashstates"
DATA = "/u/data"


class StateTests(SynchronousTestCase):
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

    def test_lengths(self) -> None:
        """It is 108 bytes for SHA-256 and 204 for the others."""
        lengths = {name: family.form.size for name, family in FAMILIES.items()}
        self.assertEqual(lengths, {"sha256": 108, "sha384": 204, "sha512": 204})

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


class KeptStateTests(SynchronousTestCase):
    """States in files beside an upload."""

    def setUp(self) -> None:
        self.driver = MemoryDriver(Clock())
        self.states = HashStates(self.driver)
        self.content = os.urandom(1000)

    def put(self, path: str, content: bytes) -> None:
        self.successResultOf(self.driver.put(path, content))

    def begin(self, size: int, *algorithms: str) -> Hashes:
        """Take in the first bytes and keep the state."""
        self.put(DATA, self.content[:size])
        hashes = self.states.begin(algorithms)
        hashes.update(self.content[:size])
        self.successResultOf(self.states.save(DIRECTORY, hashes))
        return hashes

    def load(self, size: int, states: HashStates | None = None) -> Hashes:
        chosen = states or self.states
        return self.successResultOf(chosen.load(DIRECTORY, DATA, size))

    def assert_goes_on(self, hashes: Hashes, size: int) -> None:
        hashes.update(self.content[size:])
        for algorithm, hasher in hashes.by_algorithm.items():
            wanted = hashlib.new(algorithm, self.content).hexdigest()
            self.assertEqual(hasher.hexdigest(), wanted, algorithm)
        self.assertEqual(hashes.hexdigest(), hashlib.sha256(self.content).hexdigest())

    def kept(self) -> list[str]:
        return [path for path in self.driver.paths() if path.startswith(DIRECTORY)]

    def test_names_of_files(self) -> None:
        """A state lies under its algorithm and offset, as Go looks for it."""
        self.begin(700, "sha512")
        self.assertEqual(
            self.kept(), [f"{DIRECTORY}/sha256/700", f"{DIRECTORY}/sha512/700"]
        )

    def test_goes_on_without_reading(self) -> None:
        """With a state the data is not read again: it need not even be there."""
        self.begin(700, "sha384", "sha512")
        self.successResultOf(self.driver.delete(DATA))
        hashes = self.load(700)
        self.assertEqual(set(hashes.by_algorithm), {"sha256", "sha384", "sha512"})
        self.assert_goes_on(hashes, 700)

    def test_every_offset(self) -> None:
        """It goes on from every offset around the boundaries of blocks."""
        for size in (0, 1, 63, 64, 65, 127, 128, 129, 255, 256, 1000):
            self.begin(size, "sha512")
            self.assert_goes_on(self.load(size), size)

    def test_state_of_go(self) -> None:
        """What the Go registry kept is gone on with."""
        self.content = b"abc" + self.content
        self.put(f"{DIRECTORY}/sha256/3", ABC_SHA256)
        self.assert_goes_on(self.load(3), 3)

    def test_damaged_states(self) -> None:
        """What is no state is passed over, and the data is read again."""
        good = self.begin(700).by_algorithm["sha256"]
        assert isinstance(good, sha2.ResumableHash)
        whole = encode_state(good.state())
        other = encode_state(HashState("sha256", (1,) * 8, b"", 640))
        for damaged in (b"", whole[:50], b"x" * 108, ABC_SHA512, whole + b"x", other):
            self.put(f"{DIRECTORY}/sha256/700", damaged)
            self.assert_goes_on(self.load(700), 700)

    def test_other_offsets_do_not_count(self) -> None:
        """Only the state of just this offset is used."""
        self.begin(700)
        self.put(DATA, self.content[:800])
        self.assert_goes_on(self.load(800), 800)
        self.put(DATA, self.content[:600])
        self.assert_goes_on(self.load(600), 600)

    def test_foreign_files(self) -> None:
        """Algorithms that are not known, and other files, are passed over."""
        self.begin(700)
        self.put(f"{DIRECTORY}/md5/700", b"?")
        self.put(f"{DIRECTORY}/README", b"?")
        self.put(f"{DIRECTORY}/sha512/700/more", b"?")
        hashes = self.load(700)
        self.assertEqual(set(hashes.by_algorithm), {"sha256", "sha512"})
        self.assert_goes_on(hashes, 700)

    def test_directory_of_none(self) -> None:
        """Without any state all is read again."""
        self.put(DATA, self.content[:10])
        self.assert_goes_on(self.load(10), 10)

    def test_wish_survives(self) -> None:
        """A digest that was asked for at the beginning is computed on."""
        hashes = self.states.begin(("sha512",))
        self.successResultOf(self.states.save(DIRECTORY, hashes))
        self.assertEqual(set(self.load(0).by_algorithm), {"sha256", "sha512"})

    def test_disabled(self) -> None:
        """Switched off, nothing is kept, and what was kept is not used."""
        off = HashStates(self.driver, enabled=False)
        hashes = off.begin(("sha512",))
        hashes.update(self.content)
        self.successResultOf(off.save(DIRECTORY, hashes))
        self.assertEqual(self.kept(), [])
        self.begin(700)
        wrong = encode_state(HashState("sha256", (1,) * 8, b"p" * 60, 700))
        self.put(f"{DIRECTORY}/sha256/700", wrong)
        self.assert_goes_on(self.load(700, off), 700)

    def test_without_a_library(self) -> None:
        """So it is where libcrypto lacks the interface."""
        self.begin(700, "sha512")
        before = self.kept()
        with mock.patch.object(sha2, "load", return_value=None):
            hashes = self.load(700)
            self.assert_goes_on(hashes, 700)
            self.successResultOf(self.states.save(DIRECTORY, hashes))
        self.assertEqual(self.kept(), before)

    def test_data_that_is_too_short(self) -> None:
        """Data that is shorter than it is said to be is an error, not a digest."""
        self.put(DATA, b"short")
        done = self.states.load(DIRECTORY, DATA, 100)
        self.failureResultOf(done)

    def test_older_states_are_replaced(self) -> None:
        """Of each digest one state is kept, the newest, as a long upload has many."""
        hashes = self.begin(100, "sha512")
        hashes.update(self.content[100:])
        self.successResultOf(self.states.save(DIRECTORY, hashes))
        self.assertEqual(
            self.kept(), [f"{DIRECTORY}/sha256/1000", f"{DIRECTORY}/sha512/1000"]
        )


class HashFileTests(SynchronousTestCase):
    """Hashing what is stored."""

    def test_beginning_of_a_file(self) -> None:
        """As many bytes as are asked for are hashed, and no more."""
        driver = MemoryDriver(Clock())
        content = os.urandom(300_000)
        self.successResultOf(driver.put(DATA, content))
        for size in (0, 1, 65_536, 200_001, 300_000):
            hasher = hashlib.sha256()
            self.successResultOf(hash_file(driver, DATA, size, hasher))
            wanted = hashlib.sha256(content[:size]).hexdigest()
            self.assertEqual(hasher.hexdigest(), wanted)
