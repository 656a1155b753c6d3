"""Answers that are given again."""

from __future__ import annotations

import attrs
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.changes import CONTENT, ChangeTimes
from txregistry.interfaces.observe import Exchange
from txregistry.web.http import ready
from txregistry.web.http.ready import ReadyAnswers, Recording, is_plain

HEAD = b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"
EXCHANGE = Exchange(
    "id", "base", "::1", "-", "GET", "/v2/", "HTTP/1.1", 200, 2, 0.1, "", "", "", False
)


class PlainTests(SynchronousTestCase):
    """Which bytes are one head."""

    def test_plain(self) -> None:
        """One whole head of a GET or HEAD, and nothing else."""
        self.assertTrue(is_plain(HEAD))
        self.assertTrue(is_plain(HEAD.replace(b"GET", b"HEAD")))
        for data in (
            b"",
            HEAD[:-1],
            HEAD + b"G",
            HEAD + HEAD,
            b"\r\n" + HEAD,
            HEAD.replace(b"GET", b"get"),
            HEAD.replace(b"GET", b"PUT"),
            HEAD.replace(b"Host", b"X: " + b"y" * ready.MAX_HEAD_BYTES + b"\r\nHost"),
        ):
            self.assertFalse(is_plain(data), data[:40])


class ReadyTests(SynchronousTestCase):
    """What is kept, and for how long."""

    def setUp(self) -> None:
        self.clock, self.changes = Clock(), ChangeTimes()
        self.clock.advance(1_700_000_000.25)
        self.answers = ReadyAnswers(self.changes, self.clock)

    def record(self, subject: str | None = "a", data: bytes = b"answer") -> Recording:
        recording = self.answers.begin(HEAD)
        recording.add(data[:3])
        recording.add(data[3:])
        recording.subject = subject
        return recording

    def keep(self, subject: str | None = "a", data: bytes = b"answer") -> bytes | None:
        self.answers.keep(self.record(subject, data), EXCHANGE)
        return self.found()

    def found(self) -> bytes | None:
        answer = self.answers.find(HEAD)
        return None if answer is None else answer.data

    def test_until_the_second_is_over(self) -> None:
        """It is given again in the same second of the clock on the wall."""
        self.assertEqual(self.keep(), b"answer")
        self.clock.advance(0.7)
        self.assertEqual(self.found(), b"answer")
        self.clock.advance(0.1)
        self.assertIsNone(self.found())

    def test_until_its_subject_changes(self) -> None:
        """A change to another repository does nothing to it."""
        self.keep("a")
        self.changes.note("b")
        self.assertEqual(self.found(), b"answer")
        self.changes.note("a")
        self.assertIsNone(self.found())
        self.assertEqual(self.keep("a", b"newer"), b"newer")
        # A collection deletes content before the links to it.
        self.changes.note(CONTENT)
        self.assertIsNone(self.found())

    def test_what_changed_meanwhile(self) -> None:
        """An answer that began before a change, or in another second, is not kept."""
        recording = self.record()
        self.changes.note("a")
        self.answers.keep(recording, EXCHANGE)
        self.assertIsNone(self.found())
        recording = self.record()
        self.clock.advance(1)
        self.answers.keep(recording, EXCHANGE)
        self.assertIsNone(self.found())

    def test_what_is_not_permitted(self) -> None:
        """Without a subject it is not kept, nor when it is long."""
        self.assertIsNone(self.keep(None))
        self.assertIsNone(self.keep("a", b"x" * (ready.MAX_ANSWER_BYTES + 1)))
        recording = self.answers.begin(HEAD)
        self.assertTrue(recording.add(b"x" * ready.MAX_ANSWER_BYTES))
        self.assertFalse(recording.add(b"x"))
        self.assertEqual((recording.content, recording._pieces), (None, []))
        longest = b"x" * ready.MAX_ANSWER_BYTES
        self.assertEqual(self.keep("a", longest), longest)

    def test_memory_is_bounded(self) -> None:
        """Beyond the budget none is added; the next second has all of it again."""
        self.patch(ready, "MAX_BYTES", 3 * (ready._ANSWER_BYTES + 100))
        for number in range(5):
            recording = attrs.evolve(self.record(), head=b"%d" % number)
            self.answers.keep(recording, EXCHANGE)
            self.answers.keep(recording, EXCHANGE)  # takes no more than the first
        kept = [bool(self.answers.find(b"%d" % number)) for number in range(5)]
        self.assertEqual(kept, [True] * 3 + [False] * 2)
        self.clock.advance(1)
        self.assertEqual(self.keep(), b"answer")
