"""Digests that can be put aside and gone on with, here or in the Go registry."""

from __future__ import annotations

import hashlib
import os
from unittest import mock

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.spec.go_states import ABC_SHA256, ABC_SHA512
from txregistry.spec.hashstate import HashState, encode_state
from txregistry.storage.uploads import sha2
from txregistry.storage.uploads.hashing import Hashes, HashStates, hash_file
from txregistry.storagedriver.inmemory import MemoryDriver

DIRECTORY = "/u/hashstates"
DATA = "/u/data"


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
