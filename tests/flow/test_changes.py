"""Counts of changes."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.changes import MAX_SUBJECTS, ChangeTimes


class ChangesTests(SynchronousTestCase):
    """What has changed since when."""

    def setUp(self) -> None:
        self.changes = ChangeTimes()

    def test_each_subject_has_its_own(self) -> None:
        """A change to one says nothing of another."""
        then = self.changes.now
        self.changes.note("a")
        self.assertTrue(self.changes.since(then, "a"))
        self.assertFalse(self.changes.since(then, "b"))
        self.assertFalse(self.changes.since(self.changes.now, "a"))

    def test_a_change_to_all(self) -> None:
        """An empty subject is every subject, also one that was never named."""
        then = self.changes.now
        self.changes.note()
        for subject in ("a", ""):
            self.assertTrue(self.changes.since(then, subject))
            self.assertFalse(self.changes.since(self.changes.now, subject))

    def test_any_of_several(self) -> None:
        """A change to one of them is enough."""
        then = self.changes.now
        self.changes.note("b")
        self.assertTrue(self.changes.since(then, "a", "b"))
        self.assertFalse(self.changes.since(then, "a", "c"))

    def test_under_way(self) -> None:
        """Until its end a subject counts as changed, however often it has begun."""
        self.changes.begin("a")
        self.changes.begin("a")
        self.changes.end("a")
        now = self.changes.now
        self.assertTrue(self.changes.since(now, "a"))
        self.assertFalse(self.changes.since(now, "b"))
        self.changes.end("a")
        self.assertFalse(self.changes.since(self.changes.now, "a"))
        self.changes.begin("")
        self.assertTrue(self.changes.since(self.changes.now, "b"))
        self.changes.end("")
        self.assertEqual(len(self.changes._under_way), 0)

    def test_memory_is_bounded(self) -> None:
        """Beyond the limit all count as changed, rather than one as unchanged."""
        then = self.changes.now
        for number in range(MAX_SUBJECTS + 1):
            self.changes.note(str(number))
        self.assertEqual(len(self.changes._last), 0)
        for subject in ("0", str(MAX_SUBJECTS), "another"):
            self.assertTrue(self.changes.since(then, subject))
