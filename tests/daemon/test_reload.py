"""Reloads one after the other, what is told of them, and SIGHUP."""

from __future__ import annotations

import os
import pty
import signal
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tests.web.test_audit import Trail
from txregistry.config.read import ConfigurationError
from txregistry.daemon import reload as module
from txregistry.daemon.reload import (
    Reloader,
    reload_on_hangup,
    summary,
    terminal_is_gone,
)
from txregistry.interfaces.audit import AuditEntry, Requester
from txregistry.interfaces.reload import ReloadRefused, ReloadReport

X = Requester("x", "pid:1")


@attrs.define(eq=False)
class Manager:
    """Remembers what a service manager would have been told."""

    told: list[str] = attrs.field(factory=list)

    def reloading(self) -> None:
        self.told.append("reloading")

    def ready(self, text: str) -> None:
        self.told.append(text)


class ReloadCase(SynchronousTestCase):
    """A reloader whose file is read when the test says so."""

    def setUp(self) -> None:
        self.manager, self.why = Manager(), ""
        self.reading: list[Deferred[ReloadReport]] = []
        self.taken: list[ReloadReport] = []
        self.trail, self.reopened = Trail(), list[int]()
        self.reloader: Reloader[ReloadReport] = Reloader(
            self.read,
            self.take,
            lambda: self.why,
            self.manager,
            self.trail,
            lambda: self.reopened.append(1),
        )
        self.events: list[Any] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def read(self) -> Deferred[ReloadReport]:
        self.reading.append(Deferred())
        return self.reading[-1]

    def take(self, report: ReloadReport) -> ReloadReport:
        self.taken.append(report)
        return report

    def lines(self, level: LogLevel) -> list[str]:
        return [
            event["log_format"].format(**event)
            for event in self.events
            if event["log_level"] is level
        ]


class OrderTests(ReloadCase):
    """One at a time."""

    def test_one(self) -> None:
        """It is read, taken, and reported to all."""
        done = self.reloader.reload(X)
        self.assertEqual(self.manager.told, ["reloading"])
        self.assertNoResult(done)
        report = ReloadReport(("a.b",))
        self.reading[0].callback(report)
        self.assertIs(self.successResultOf(done), report)
        self.assertEqual(self.manager.told[1:], ["reloaded, changed: a.b"])
        entry = AuditEntry("reload", who="x", peer="pid:1", detail="a.b")
        self.assertEqual(self.trail.entries, [entry])
        self.assertEqual(self.reopened, [1])

    def test_many_meanwhile_are_one(self) -> None:
        """Whoever asks during a reload shares the one that follows."""
        first = self.reloader.reload(X)
        others = [self.reloader.reload(Requester("y")) for _ in range(100)]
        self.assertEqual(len(self.reading), 1)
        self.reading[0].callback(ReloadReport())
        self.successResultOf(first)
        self.assertEqual(len(self.reading), 2)
        report = ReloadReport(("a",))
        self.reading[1].callback(report)
        for done in others:
            self.assertIs(self.successResultOf(done), report)
        self.assertEqual(len(self.reading), 2)
        self.assertEqual(self.manager.told.count("reloading"), 2)
        self.assertEqual([entry.who for entry in self.trail.entries], ["x", "y"])

    def test_all_who_ask_are_recorded(self) -> None:
        """A reload that several share has a line of the audit trail for each."""
        for who in ("x", "y", "z"):
            self.reloader.reload(Requester(who))
        self.reading[0].callback(ReloadReport())
        self.reading[1].callback(ReloadReport())
        self.assertEqual([entry.who for entry in self.trail.entries], ["x", "y", "z"])
        self.assertIn("(for y, z)", self.lines(LogLevel.info)[-1])

    def test_who_does_not_wait(self) -> None:
        """A client that leaves stops nothing."""
        done = self.reloader.reload(X)
        done.cancel()
        self.failureResultOf(done)
        self.reading[0].callback(ReloadReport())
        self.assertEqual(len(self.taken), 1)


class RefusedTests(ReloadCase):
    """What is not taken."""

    def test_problems(self) -> None:
        """Each is in the log, and nothing is taken."""
        done = self.reloader.reload(X)
        self.reading[0].errback(ConfigurationError(["a: bad", "b: worse"]))
        report = self.successResultOf(done)
        self.assertEqual(report.problems, ("a: bad", "b: worse"))
        self.assertEqual(self.taken, [])
        expected = "reload failed, the previous configuration stays in force"
        found = self.lines(LogLevel.error)
        self.assertEqual(found, ["a: bad", "b: worse", f"{expected} (for x (pid:1))"])
        self.assertEqual(self.manager.told, ["reloading", expected])
        self.assertEqual(self.trail.entries[0].outcome, "FAILED")

    def test_any_failure(self) -> None:
        """The daemon goes on, and the next reload works."""
        done = self.reloader.reload(X)
        self.reading[0].errback(KeyError("k"))
        self.assertEqual(self.successResultOf(done).problems, ("'k'",))
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        again = self.reloader.reload(X)
        self.reading[1].callback(ReloadReport())
        self.assertEqual(self.successResultOf(again), ReloadReport())

    def test_while_it_stops(self) -> None:
        """It is refused with a line in the log, and nobody else is told."""
        self.why = "the daemon stops"
        self.failureResultOf(self.reloader.reload(X), ReloadRefused)
        self.assertEqual((self.reading, self.manager.told), ([], []))
        expected = "reload for x (pid:1) refused: the daemon stops"
        self.assertEqual(self.lines(LogLevel.error), [expected])
        (entry,) = self.trail.entries
        found = (entry.outcome, entry.who, entry.peer, entry.detail)
        self.assertEqual(found, ("REFUSED", "x", "pid:1", "the daemon stops"))
        self.assertEqual(self.reopened, [1])

    def test_stop_while_it_is_read(self) -> None:
        """What was read is not taken."""
        done = self.reloader.reload(X)
        self.why = "the daemon stops"
        self.reading[0].callback(ReloadReport())
        report = self.successResultOf(done)
        self.assertEqual((report.problems, self.taken), (("the daemon stops",), []))


class TellTests(ReloadCase):
    """What the log says."""

    def test_each_key(self) -> None:
        """A line for each key that waits, and each warning."""
        report = ReloadReport(("a",), {"b": "c", "d": "e"}, (), ("w",))
        self.reloader.reload(X)
        self.reading[0].callback(report)
        self.assertEqual(
            self.lines(LogLevel.warn),
            [
                "w",
                "b has changed and needs a restart: c",
                "d has changed and needs a restart: e",
            ],
        )
        self.assertEqual(
            self.lines(LogLevel.info)[-1],
            "reloaded, changed: a; needs a restart: b, d (for x (pid:1))",
        )

    def test_summary(self) -> None:
        """In one line."""
        for report, expected in (
            (ReloadReport(), "reloaded, nothing has changed"),
            (
                ReloadReport(restart={"b": "c"}),
                "reloaded, changed: nothing; needs a restart: b",
            ),
        ):
            self.assertEqual(summary(report), expected)


class HangupTests(ReloadCase):
    """SIGHUP."""

    def test_signal(self) -> None:
        """It asks for a reload when the reactor has its turn."""
        before = signal.getsignal(signal.SIGHUP)
        self.addCleanup(signal.signal, signal.SIGHUP, before)
        turns: list[Any] = []

        class Reactor:
            callFromThread = turns.append
            stop = object()

        reload_on_hangup(Reactor, self.reloader)
        os.kill(os.getpid(), signal.SIGHUP)
        self.assertEqual(self.reading, [])
        turns.pop()()
        self.reading[0].callback(ReloadReport())
        self.assertIn("(for SIGHUP)", self.lines(LogLevel.info)[-1])
        self.why = "the daemon stops"
        os.kill(os.getpid(), signal.SIGHUP)
        turns.pop()()  # and nobody hears of the refusal but the log
        self.assertEqual(len(self.lines(LogLevel.error)), 1)
        self.patch(module, "terminal_is_gone", lambda: True)
        os.kill(os.getpid(), signal.SIGHUP)
        self.assertEqual(turns, [Reactor.stop])

    def test_terminal(self) -> None:
        """One that was hung up is told from one that is there, and from none."""
        ours, theirs = pty.openpty()
        before, nothing = os.dup(0), os.open(os.devnull, os.O_RDONLY)
        try:
            os.dup2(nothing, 0)
            self.assertFalse(terminal_is_gone())
            os.dup2(theirs, 0)
            self.assertFalse(terminal_is_gone())
            os.close(ours)
            self.assertTrue(terminal_is_gone())
        finally:
            os.dup2(before, 0)
            for descriptor in (before, nothing, theirs):
                os.close(descriptor)
