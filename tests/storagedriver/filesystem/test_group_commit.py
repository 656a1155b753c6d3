"""Changes that wait together are written down together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.driver import Change, MoveFile, PutFile, RemoveTree
from txregistry.storagedriver.filesystem import group_commit as module
from txregistry.storagedriver.filesystem.group_commit import JOURNALED_BYTES, Commits
from txregistry.storagedriver.filesystem.journal.records import Delete
from txregistry.testing.disk import QueueDisk

ROOT = "/root"


class FakeJournal:
    """Remembers what it was asked; fails as a test says.

    :ivar refuses: paths of steps that cannot be made.
    :ivar broken: nothing can be written at all.
    """

    def __init__(self) -> None:
        self.calls: list[object] = []
        self.is_behind = False
        self.refuses: set[str] = set()
        self.broken = False

    def commit(self, batch: Sequence[Sequence[PutFile]]) -> list[OSError | None]:
        self.calls.append([[step.path for step in work] for work in batch])
        if self.broken:
            raise OSError(5, "broken")
        return [
            OSError(28, "full") if {step.path for step in work} & self.refuses else None
            for work in batch
        ]

    def turn(self) -> None:
        self.calls.append("turn")

    def settle(self) -> None:
        self.calls.append("settle")
        self.is_behind = False
        if self.broken:
            raise OSError(5, "broken")

    def close(self) -> None:
        self.calls.append("close")

    def forget(self, paths: Iterable[str]) -> None:
        self.calls.append(("forget", list(paths)))


def put(path: str, size: int = 0) -> PutFile:
    return PutFile(path, b"x" * size)


class CommitCase(SynchronousTestCase):
    """A queue before a journal, on a disk that works when told."""

    def setUp(self) -> None:
        self.disk, self.journal = QueueDisk(), FakeJournal()
        self.commits = Commits(ROOT, self.disk, self.journal)
        self.apart: list[tuple[Sequence[Change], str]] = []
        self.patch(module, "apply_changes", lambda *what: self.apart.append(what))
        # Nothing is left under way, which would end in another test.
        self.addCleanup(self.disk.settle)

    def put(self, path: str, size: int = 0) -> Deferred[None]:
        return self.commits.apply([put(path, size)])

    def fails(self, done: Deferred[None]) -> int:
        return self.failureResultOf(done, OSError).value.errno


class BatchTests(CommitCase):
    """What is committed with what."""

    def test_alone(self) -> None:
        """A change is under way at once, and done when the journal has it."""
        done = self.put("/a")
        self.assertNoResult(done)
        self.disk.settle()
        self.successResultOf(done)
        self.assertEqual(self.journal.calls, [[["/a"]]])

    def test_together(self) -> None:
        """What comes meanwhile goes together, in order, as one more commit."""
        done = [self.put(f"/{name}") for name in "abc"]
        self.assertEqual(len(self.disk.jobs), 1)
        self.disk.step()
        self.successResultOf(done[0])
        for waiting in done[1:]:
            self.assertNoResult(waiting)
        done.append(self.put("/d"))
        self.disk.step()
        self.assertNoResult(done[3])
        self.disk.settle()
        for one in done[1:]:
            self.successResultOf(one)
        self.assertEqual(self.journal.calls, [[["/a"]], [["/b"], ["/c"]], [["/d"]]])

    def test_again_when_idle(self) -> None:
        """After all is done the next change is under way at once again."""
        for _ in range(2):
            done = self.put("/a")
            self.disk.settle()
            self.successResultOf(done)
        self.assertEqual(self.disk.jobs, [])

    def test_much(self) -> None:
        """Of much content a commit takes a megabyte, and the next one the rest."""
        done = [self.put("/first")]
        done += [self.put(f"/{number}", JOURNALED_BYTES) for number in range(10)]
        self.disk.settle()
        for one in done:
            self.successResultOf(one)
        sizes = [len(batch) for batch in self.journal.calls]
        self.assertEqual(sizes, [1, 8, 2])

    def test_of_several_steps(self) -> None:
        """The steps of one change stay together."""
        work = [put("/a"), RemoveTree("/b"), put("/c")]
        done = self.commits.apply(work)
        self.disk.settle()
        self.successResultOf(done)
        self.assertEqual(self.journal.calls, [[["/a", "/b", "/c"]]])
        done = self.commits.commit([Delete("/d")])
        self.disk.settle()
        self.successResultOf(done)
        self.assertEqual(self.journal.calls[1:], [[["/d"]]])

    def test_whoever_leaves(self) -> None:
        """Cancelling only stops waiting: the change is made, and others are told."""
        done = [self.put("/a"), self.put("/b"), self.put("/c")]
        for one in done[:2]:
            one.cancel()
            self.failureResultOf(one, CancelledError)
        self.disk.settle()
        self.successResultOf(done[2])
        self.assertEqual(self.journal.calls, [[["/a"]], [["/b"], ["/c"]]])


class ApartTests(CommitCase):
    """What is not written twice."""

    def test_moves(self) -> None:
        """They are made durable by themselves, by the names of the file system."""
        changes = [put("/a"), MoveFile("/b", "/c", sync=True), RemoveTree("/d")]
        done = self.commits.apply(changes)
        self.assertNoResult(done)
        self.disk.settle()
        self.successResultOf(done)
        self.assertEqual(self.journal.calls, [("forget", ["/a", "/c"])])
        expected = [
            put("/root/a"),
            MoveFile("/root/b", "/root/c", sync=True),
            RemoveTree("/root/d"),
        ]
        self.assertEqual(self.apart, [(expected, ROOT)])

    def test_long_content(self) -> None:
        """As much as is written twice is, and a byte more is not."""
        self.commits.apply([put("/a", JOURNALED_BYTES - 1), put("/b", 1)])
        self.disk.settle()
        self.assertEqual((self.journal.calls, self.apart), ([[["/a", "/b"]]], []))
        self.commits.apply([put("/a", JOURNALED_BYTES), put("/b", 1)])
        self.disk.settle()
        self.assertEqual(len(self.apart), 1)

    def test_forgotten_first(self) -> None:
        """What the journal cannot forget is not changed."""

        def refuse(_: object) -> None:
            raise OSError(5, "broken")

        self.patch(self.journal, "forget", refuse)
        done = self.commits.apply([MoveFile("/b", "/c")])
        self.disk.settle()
        self.assertEqual((self.fails(done), self.apart), (5, []))


class FailureTests(CommitCase):
    """What cannot be made."""

    def test_one_of_several(self) -> None:
        """Only whoever asked for it is told so."""
        self.journal.refuses = {"/b"}
        done = [self.put(f"/{name}") for name in "xabc"]
        self.disk.settle()
        self.assertEqual(self.fails(done[2]), 28)
        for one in (done[0], done[1], done[3]):
            self.successResultOf(one)

    def test_settled_then(self) -> None:
        """What failed is not to be made by the next start."""
        self.journal.refuses = {"/a"}
        done = self.put("/a")
        self.disk.settle()
        self.assertEqual(self.fails(done), 28)
        self.assertEqual(self.journal.calls, [[["/a"]], "turn", "settle"])

    def test_while_it_settles(self) -> None:
        """What fails then has it settled once more; others do not wait for it."""
        self.journal.refuses = {"/a", "/b"}
        done = [self.put("/a"), self.put("/b")]
        self.disk.settle()
        for one in done:
            self.assertEqual(self.fails(one), 28)
        self.assertEqual(self.journal.calls.count("turn"), 2)
        self.assertEqual(self.journal.calls[-1], "settle")
        self.disk.settle()
        self.successResultOf(self.after(self.put("/c")))

    def after(self, done: Deferred[None]) -> Deferred[None]:
        self.disk.settle()
        return done

    def test_all(self) -> None:
        """When nothing can be written all are told, and the next ones as well."""
        self.journal.broken = True
        done = [self.put("/a"), self.put("/b"), self.put("/c")]
        self.disk.settle()
        for one in done:
            self.assertEqual(self.fails(one), 5)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 2)
        self.journal.broken = False
        self.successResultOf(self.after(self.put("/d")))


class SettlingTests(CommitCase):
    """What was written down need not be for ever."""

    def test_behind(self) -> None:
        """A journal that has something to settle does so after a commit, once."""
        self.journal.is_behind = True
        done = [self.put("/a"), self.put("/b")]
        self.disk.step()
        self.assertEqual(len(self.disk.jobs), 2)
        self.disk.settle()
        for one in done:
            self.successResultOf(one)
        self.assertEqual(self.journal.calls.count("settle"), 1)
        self.assertNotIn("turn", self.journal.calls)

    def test_slow(self) -> None:
        """While it is under way it is not begun again."""
        self.journal.is_behind = True
        self.put("/a")
        self.put("/b")
        self.disk.step()
        self.disk.jobs.reverse()
        self.disk.step()
        self.assertEqual(self.journal.calls, [[["/a"]], [["/b"]]])
        self.assertEqual(len(self.disk.jobs), 1)

    def test_not_behind(self) -> None:
        """Nothing is settled without need."""
        self.successResultOf(self.after(self.put("/a")))
        self.assertEqual(self.journal.calls, [[["/a"]]])

    def after(self, done: Deferred[None]) -> Deferred[None]:
        self.disk.settle()
        return done

    def test_checkpoint(self) -> None:
        """The other file is begun, and this one made safe."""
        self.successResultOf(self.after(self.commits.checkpoint()))
        self.assertEqual(self.journal.calls, ["turn", "settle"])
        self.journal.broken = True
        self.assertEqual(self.fails(self.after(self.commits.checkpoint())), 5)

    def test_close(self) -> None:
        """It comes after all that was asked for before."""
        self.successResultOf(self.after(self.commits.close()))
        self.assertEqual(self.journal.calls, ["close"])
        self.put("/a")
        self.put("/b")
        self.successResultOf(self.after(self.commits.close()))
        expected = [[["/a"]], [["/b"], []], "close"]
        self.assertEqual(self.journal.calls[1:], expected)
