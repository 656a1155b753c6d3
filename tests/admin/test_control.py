"""The control socket: questions in lines of JSON."""

from __future__ import annotations

import json
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from txregistry.admin.commands import CollectCommand, ReloadCommand
from txregistry.admin.control import (
    ALIVE_SECONDS,
    MAX_QUESTION,
    QUESTION_SECONDS,
    ControlFactory,
)
from txregistry.interfaces.audit import Requester
from txregistry.interfaces.collection import (
    CollectionBusy,
    CollectOptions,
    CollectReport,
    ICollector,
    Progress,
)
from txregistry.interfaces.reload import IReloader, ReloadRefused, ReloadReport


@implementer(ICollector)
@attrs.define(eq=False)
class Collecting:
    """A collection that ends when the test says so."""

    asked: list[Any] = attrs.field(factory=list)
    tell: Any = None
    done: Deferred[CollectReport] = attrs.field(factory=Deferred)

    def collect(self, options: CollectOptions, tell: Any) -> Deferred[CollectReport]:
        self.asked.append(options)
        self.tell = tell
        return self.done


@implementer(IReloader)
@attrs.define(eq=False)
class Reloading:
    """A reload that ends when the test says so."""

    asked: list[Requester] = attrs.field(factory=list)
    done: Deferred[ReloadReport] = attrs.field(factory=Deferred)

    def reload(self, who: Requester) -> Deferred[ReloadReport]:
        self.asked.append(who)
        return self.done


class ControlTests(SynchronousTestCase):
    """One question, its progress and its end."""

    def setUp(self) -> None:
        self.collector = Collecting()
        self.clock = Clock()
        self.reloader = Reloading()
        commands = {
            "collect": CollectCommand(lambda _: self.collector),
            "reload": ReloadCommand(self.reloader),
        }
        factory = ControlFactory(commands, self.clock)
        self.protocol = factory.buildProtocol(None)
        self.transport = StringTransportWithDisconnection()
        self.transport.protocol = self.protocol
        self.protocol.makeConnection(self.transport)

    def ask(self, question: object) -> None:
        self.protocol.dataReceived(json.dumps(question).encode() + b"\n")

    def answers(self) -> list[Any]:
        return [json.loads(line) for line in self.transport.value().splitlines()]

    def test_who_does_not_ask(self) -> None:
        """A client that asks nothing, or half a question, is cut off."""
        self.protocol.dataReceived(b'{"comm')
        self.clock.advance(QUESTION_SECONDS)
        self.assertFalse(self.transport.connected)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_who_has_asked(self) -> None:
        """A collection may take as long as it does, and says that it is at work."""
        self.ask({"command": "collect"})
        self.clock.pump([ALIVE_SECONDS] * 100)
        self.assertTrue(self.transport.connected)
        self.assertEqual(self.answers(), [{"alive": True}] * 100)
        self.transport.producer.pauseProducing()
        self.clock.advance(ALIVE_SECONDS)
        self.assertEqual(len(self.answers()), 100)
        self.collector.done.callback(CollectReport())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_collection(self) -> None:
        """Progress as it goes, the report at the end, then the connection ends."""
        wanted = {"dry_run": True, "delete_untagged": True, "grace_seconds": 5}
        self.ask({"command": "collect", "options": wanted})
        self.assertEqual(self.collector.asked, [CollectOptions(True, True, 5.0)])
        self.collector.tell(Progress("mark", 3))
        self.assertEqual(self.answers(), [{"progress": {"stage": "mark", "done": 3}}])
        self.collector.done.callback(CollectReport(blobs_deleted=7))
        self.assertEqual(self.answers()[-1]["report"]["blobs_deleted"], 7)
        self.assertFalse(self.transport.connected)

    def test_who_does_not_read(self) -> None:
        """Is told no progress until it reads again, and the report in any case."""
        self.ask({"command": "collect"})
        self.transport.producer.pauseProducing()
        for done in range(1000):
            self.collector.tell(Progress("mark", done))
        self.assertEqual(self.answers(), [])
        self.transport.producer.resumeProducing()
        self.collector.tell(Progress("mark", 1000))
        self.assertEqual(self.answers()[0]["progress"]["done"], 1000)
        self.transport.producer.pauseProducing()
        self.collector.done.callback(CollectReport(blobs_deleted=7))
        self.assertEqual(self.answers()[-1]["report"]["blobs_deleted"], 7)
        self.assertFalse(self.transport.connected)

    def test_busy(self) -> None:
        """A second collection is told that there is a first."""
        self.ask({"command": "collect"})
        self.collector.done.errback(CollectionBusy("one is under way"))
        self.assertIn("under way", self.answers()[0]["error"])

    def test_reload(self) -> None:
        """The report of a reload, whole."""
        self.ask({"command": "reload"})
        self.assertEqual(self.reloader.asked, [Requester("the control socket")])
        report = ReloadReport(("log.level",), {"http.addr": "no"}, (), ("w",))
        self.reloader.done.callback(report)
        expected = {
            "changed": ["log.level"],
            "restart": {"http.addr": "no"},
            "problems": [],
            "warnings": ["w"],
        }
        self.assertEqual(self.answers(), [{"report": expected}])
        self.assertFalse(self.transport.connected)

    def test_reload_that_is_refused(self) -> None:
        """It is told why, and nothing is logged as a failure."""
        self.ask({"command": "reload"})
        self.reloader.done.errback(ReloadRefused("the daemon stops"))
        self.assertEqual(self.answers(), [{"error": "the daemon stops"}])

    def test_failure(self) -> None:
        """What went wrong is told to whoever asked, and logged."""
        self.ask({"command": "collect"})
        self.collector.done.errback(OSError("disk"))
        self.assertEqual(self.answers(), [{"error": "disk"}])
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_whoever_leaves_stops_it(self) -> None:
        """When the client goes the collection is given up."""
        stopped: list[object] = []
        self.collector.done = Deferred(stopped.append)
        self.ask({"command": "collect"})
        self.transport.loseConnection()
        self.assertEqual(len(stopped), 1)

    def test_stop(self) -> None:
        """A client that asks to stop gets an answer, and the connection ends."""
        stopped: list[object] = []
        self.collector.done = Deferred(stopped.append)
        self.ask({"command": "collect"})
        for line in (b"{", b"[]", b'{"command": "wait"}'):
            self.protocol.dataReceived(line + b"\n")
        self.assertEqual(stopped, [])
        self.ask({"command": "stop"})
        self.assertEqual(len(stopped), 1)
        self.assertEqual(self.answers(), [{"error": "stopped"}])
        self.assertFalse(self.transport.connected)

    def test_one_question_per_connection(self) -> None:
        """Further lines are not looked at."""
        self.ask({"command": "collect"})
        self.ask({"command": "collect"})
        self.assertEqual(len(self.collector.asked), 1)

    def test_nonsense(self) -> None:
        """What is no question is refused, collects nothing and logs nothing."""
        for question, told in (
            (b"{", "expected a question as a JSON object"),
            (b"[]", "expected a question as a JSON object"),
            (b"\xff", "expected a question as a JSON object"),
            (b"[" * 50_000, "expected a question as a JSON object"),
            (b'{"command": "x"}', "no such command; this daemon has: collect, reload"),
            (b'{"command": null}', "no such command"),
            (b'{"command": "collect", "options": "x"}', "options: expected a JSON"),
        ):
            self.setUp()
            self.protocol.dataReceived(question + b"\n")
            self.assertIn(told, self.answers()[0]["error"])
            self.assertEqual(self.collector.asked, [])

    def test_endless_question(self) -> None:
        """A line without end ends the connection."""
        self.protocol.dataReceived(b"x" * (MAX_QUESTION + 1))
        self.assertFalse(self.transport.connected)
