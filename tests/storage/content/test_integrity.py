"""Which content matches its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.database import Database
from txregistry.flow.disk import InlineDisk
from txregistry.spec.digest import Digest
from txregistry.storage.content import integrity as integrities
from txregistry.storage.content.integrity import Integrity
from txregistry.storage.tree import layout
from txregistry.testing.house import TestHouse

SIZE = 300_000

#: What can happen to a file while nobody looks.
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda content: content[: SIZE // 2],
    "emptied": lambda content: b"",
    "flipped": lambda content: content[:1000] + b"\0\0\0\0" + content[1004:],
    "flipped at the end": lambda content: content[:-4] + b"\0\0\0\0",
    "longer": lambda content: content + b"more",
    "zeroed": lambda content: bytes(SIZE),
}


class IntegrityTests(SynchronousTestCase):
    """What is remembered of verified content."""

    def setUp(self) -> None:
        self.house = TestHouse()
        self.database = Database(":memory:", InlineDisk(), integrities.SCHEMA, 1)
        driver = self.house.driver
        assert driver is not None
        self.driver = driver
        self.integrity = Integrity(driver, self.database)

    def digests(self, count: int) -> list[Digest]:
        return [Digest.of(b"%d" % number) for number in range(count)]

    def rows(self) -> int:
        rows = self.database.run(
            lambda db: db.execute("SELECT count(*) FROM verified").fetchone()
        )
        return int(self.successResultOf(rows)[0])

    def test_written_in_batches(self) -> None:
        """Rows are written many at a time, and what is left when it is asked for."""
        for digest in self.digests(100):
            self.integrity.record(digest, "1", 1)
        self.assertEqual(self.rows(), 64)
        self.successResultOf(self.integrity.flush())
        self.assertEqual(self.rows(), 100)
        for digest in self.digests(100):
            self.integrity.forget(digest)
        self.successResultOf(self.integrity.flush())
        self.assertEqual(self.rows(), 0)

    def test_memory_is_bounded(self) -> None:
        """What does not fit into memory is found in the file."""
        self.integrity._found.limit = 10
        first, *_ = digests = self.digests(80)
        for digest in digests:
            self.integrity.record(digest, "1", 1)
        self.assertEqual(len(self.integrity._found), 10)
        self.assertIsNone(self.integrity.recall(first, "1"))
        self.assertTrue(self.successResultOf(self.integrity.find(first, "1", 1)))
        self.assertTrue(self.integrity.recall(first, "1"))

    def test_file_that_cannot_be_read(self) -> None:
        """Without its rows content says for itself what it is, and nothing fails."""
        self.integrity = Integrity(
            self.driver,
            Database("/proc/none/x", InlineDisk(), integrities.SCHEMA, 1),
        )
        (digest,) = self.digests(1)
        self.assertIsNone(self.successResultOf(self.integrity.find(digest, "1", 1)))
        self.integrity.record(digest, "1", 1)
        self.successResultOf(self.integrity.flush())
        self.assertTrue(self.integrity.recall(digest, "1"))

    def test_driver_that_cannot_tell(self) -> None:
        """Content of a driver without identities is believed."""
        (digest,) = self.digests(1)
        self.assertTrue(self.integrity.recall(digest, ""))

    def test_replaced_while_it_is_read(self) -> None:
        """Of a file that is replaced while it is read, nothing is concluded."""
        content = b"content"
        digest = Digest.of(content)
        path = layout.blob_data(digest)
        self.successResultOf(self.driver.put(path=path, content=content))
        identity = self.successResultOf(self.driver.stat(path=path)).identity
        driver = self.driver

        class Replacing:
            """Has the file replaced when it is hashed."""

            def __init__(self) -> None:
                self.hasher = hashlib.sha256()

            def update(self, some: bytes, /) -> None:
                self.hasher.update(some)
                driver.put(path=path, content=b"other")

            def hexdigest(self) -> str:
                return self.hasher.hexdigest()

        self.patch(Digest, "hasher", lambda _: Replacing())
        self.assertIsNone(self.successResultOf(self.integrity.verify(digest, identity)))
        self.assertIsNone(self.integrity.recall(digest, identity))
