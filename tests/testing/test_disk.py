"""A disk whose jobs run when a test says so."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.testing.disk import QueueDisk


class QueueDiskTests(SynchronousTestCase):
    """One thread and its queue."""

    def setUp(self) -> None:
        self.disk = QueueDisk()
        self.ran: list[str] = []

    def test_order(self) -> None:
        """Jobs run one by one, in order, and not before they are told to."""
        first = self.disk.run(self.ran.append, "a")
        second = self.disk.run(int, "x")
        self.assertEqual(self.ran, [])
        self.disk.step()
        self.successResultOf(first)
        self.assertNoResult(second)
        self.disk.step()
        self.failureResultOf(second, ValueError)

    def test_settled(self) -> None:
        """Jobs that come of jobs are done too."""
        self.disk.run(lambda: self.disk.run(self.ran.append, "b"))
        self.disk.settle()
        self.assertEqual((self.ran, self.disk.jobs), (["b"], []))

    def test_cancelled(self) -> None:
        """A job that is cancelled fails at once, and runs all the same."""
        done = self.disk.run(self.ran.append, "a")
        done.cancel()
        self.failureResultOf(done)
        self.disk.settle()
        self.assertEqual(self.ran, ["a"])
