"""Events on disk."""

from __future__ import annotations

from pathlib import Path
from sqlite3 import OperationalError

from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.database import Database
from txregistry.flow.disk import InlineDisk
from txregistry.notifications.queue import SCHEMA, VERSION, EventQueue, Queued


class QueueTests(SynchronousTestCase):
    """A queue for each endpoint."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.queue = self.open()

    def open(self) -> EventQueue:
        """Open the file, as a new process does."""
        disk = InlineDisk()
        database = Database(str(self.path), disk, SCHEMA, VERSION, durable=True)
        self.addCleanup(database.close)
        return EventQueue(database)

    def put(self, *rows: tuple[str, bytes]) -> None:
        self.successResultOf(self.queue.put(rows))

    def next(self, endpoint: str, limit: int = 10) -> list[Queued]:
        return self.successResultOf(self.queue.next(endpoint, limit))

    def envelopes(self, endpoint: str, limit: int = 10) -> list[bytes]:
        return [queued.envelope for queued in self.next(endpoint, limit)]

    def test_order(self) -> None:
        """The oldest of an endpoint come first, as many as are wanted, no others."""
        self.put(("a", b"1"), ("b", b"2"))
        self.put(("a", b"3"), ("a", b"4"))
        self.assertEqual(self.envelopes("a", 2), [b"1", b"3"])
        self.assertEqual(self.envelopes("b"), [b"2"])
        self.assertEqual(self.envelopes("c"), [])

    def test_asking_takes_nothing(self) -> None:
        """What was given stays until it is done, whoever asks."""
        self.put(("a", b"1"))
        self.assertEqual(self.next("a"), self.next("a"))
        self.assertEqual(self.successResultOf(self.queue.counts(["a"])), {"a": 1})

    def test_done(self) -> None:
        """What is done is gone, and its number does not come again."""
        self.put(("a", b"1"), ("a", b"2"))
        first, last = self.next("a")
        self.successResultOf(self.queue.done([first.number, last.number]))
        self.assertEqual(self.next("a"), [])
        self.put(("a", b"3"))
        (new,) = self.next("a")
        self.assertGreater(new.number, last.number)

    def test_next_process(self) -> None:
        """What was put is there after a restart."""
        self.put(("a", b"1"))
        self.successResultOf(self.queue.close())
        self.queue = self.open()
        self.assertEqual(self.envelopes("a"), [b"1"])

    def test_counts(self) -> None:
        """They are by endpoint; what belongs to others is deleted."""
        self.put(("a", b"1"), ("a", b"2"), ("old", b"3"))
        found = self.successResultOf(self.queue.counts(["a", "new"]))
        self.assertEqual(found, {"a": 2})
        self.assertEqual(self.next("old"), [])
        self.assertEqual(self.successResultOf(self.queue.counts([])), {})
        self.assertEqual(self.next("a"), [])

    def test_all_or_nothing(self) -> None:
        """Events that are put together are there together, or not at all."""
        self.failureResultOf(self.queue.put([("a", b"1"), ("a", None)]))
        self.assertEqual(self.next("a"), [])

    def test_disk_that_fails(self) -> None:
        """What cannot be written is told."""
        self.successResultOf(self.queue.close())
        self.path.unlink(missing_ok=True)
        self.path.mkdir()
        self.failureResultOf(self.queue.put([("a", b"1")]), OperationalError, OSError)
