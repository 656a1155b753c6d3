"""Commands of the control socket."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import Mock

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from txregistry.admin.commands import (
    MAX_CANDIDATES,
    CollectCommand,
    DiskCommand,
    HealthCommand,
    NoCollector,
    OfflineCommand,
    PinCommand,
    PinsCommand,
    StatusCommand,
    VerifyCommand,
)
from txregistry.admin.control import ControlFactory
from txregistry.interfaces.audit import Requester
from txregistry.interfaces.collection import ICollector
from txregistry.interfaces.commands import CommandRefused
from txregistry.interfaces.driver import DiskSpace
from txregistry.interfaces.eviction import (
    Candidate,
    EvictionPreview,
    Limit,
    Shortage,
    SpaceUsage,
    Stays,
)
from txregistry.interfaces.expiry import Stored
from txregistry.interfaces.overview import DownloadOverview, Overview, UpstreamOverview
from txregistry.interfaces.scrub import (
    IScrubber,
    ScrubFinding,
    ScrubOptions,
    ScrubOutcome,
    ScrubProgress,
    ScrubRefused,
    ScrubReport,
)
from txregistry.spec.reference import RepositoryName
from txregistry.speed.failures import failed


@implementer(IScrubber)
@attrs.define(eq=False)
class Scrubs:
    """A pass that ends when the test says so, or is stopped."""

    asked: list[ScrubOptions] = attrs.field(factory=list)
    tell: Any = None
    done: Deferred[ScrubReport] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.done = Deferred(lambda done: done.callback(ScrubReport(contents=1)))

    def scrub(self, options: ScrubOptions, tell: Any) -> Deferred[ScrubReport]:
        self.asked.append(options)
        self.tell = tell
        return self.done


@attrs.define(eq=False)
class Switch:
    """A switch that remembers who used it."""

    is_on: bool = False
    who: list[str] = attrs.field(factory=list)

    def of(self, who: Requester) -> Switch:
        self.who.append(who.who)
        return self

    def switch(self, on: bool) -> bool:
        changed, self.is_on = on != self.is_on, on
        return changed


class OfflineTests(SynchronousTestCase):
    """The ``offline`` command."""

    def setUp(self) -> None:
        self.switch = Switch()
        self.command = OfflineCommand(self.switch.of)

    def ask(self, **options: Any) -> Deferred[dict[str, Any]]:
        return self.command.run(Requester("root"), options, print)

    def test_switches(self) -> None:
        """It tells what is so now, and whether that is new."""
        for options, offline, changed in (
            ({}, False, False),
            ({"on": True}, True, True),
            ({"on": True}, True, False),
            ({}, True, False),
            ({"on": False}, False, True),
        ):
            report = self.successResultOf(self.ask(**options))
            self.assertEqual(report, {"offline": offline, "changed": changed})
        self.assertEqual(set(self.switch.who), {"root"})

    def test_refused(self) -> None:
        """A word that is neither true nor false changes nothing."""
        for word in ("on", 1, []):
            self.failureResultOf(self.ask(on=word), CommandRefused)
        self.assertFalse(self.switch.is_on)


class StatusTests(SynchronousTestCase):
    """The ``status`` command."""

    def test_report(self) -> None:
        """What was seen, as JSON."""
        upstream = UpstreamOverview("x", "https://x", 0.0, 1, 2, 3, 4, 5)
        download = DownloadOverview("sha256:1", "x", None, 7, 8.0)
        seen = Overview(True, (upstream,), (download,))
        command = StatusCommand(Mock(look=lambda: succeed(seen)))
        report = self.successResultOf(command.run(Requester("root"), {}, print))
        found = json.loads(json.dumps(report))
        self.assertTrue(found["offline"])
        self.assertEqual(found["upstreams"][0]["served_bytes"], 5)
        self.assertEqual(found["downloads"][0]["size"], None)


class HealthTests(SynchronousTestCase):
    """The ``health`` command."""

    def test_problems(self) -> None:
        """What is wrong, by name, and what is worth knowing."""
        for notes in ({}, {"offline": "yes"}):
            problems = {"storage": "gone"}
            command = HealthCommand(lambda: succeed({"storage": "gone"}), notes.copy)
            done = command.run(Requester("root"), {}, print)
            told = self.successResultOf(done)
            self.assertEqual(told, {"problems": problems, "notes": notes})


class RefusedTests(SynchronousTestCase):
    """A collection that this daemon does not make."""

    def test_why(self) -> None:
        """It says why."""
        collector = NoCollector("not here")
        verifyObject(ICollector, collector)
        command = CollectCommand(lambda _: collector)
        done = command.run(Requester("root"), {}, lambda _: None)
        failure = self.failureResultOf(done, CommandRefused)
        self.assertEqual(str(failure.value), "not here")


class VerifyTests(SynchronousTestCase):
    """Options, progress, report."""

    def setUp(self) -> None:
        self.scrubs = Scrubs()
        command = VerifyCommand(self.of, looks_at_links=True)
        factory = ControlFactory({"verify": command}, Clock())
        self.protocol = factory.buildProtocol(None)
        self.transport = StringTransportWithDisconnection()
        self.transport.protocol = self.protocol
        self.protocol.makeConnection(self.transport)

    def of(self, who: Requester) -> Scrubs:
        self.assertEqual(who, Requester("the control socket"))
        return self.scrubs

    def ask(self, **options: object) -> None:
        self.send({"command": "verify", "options": options})

    def send(self, line: object) -> None:
        self.protocol.dataReceived(json.dumps(line).encode() + b"\n")

    def answers(self) -> list[Any]:
        return [json.loads(line) for line in self.transport.value().splitlines()]

    def test_options(self) -> None:
        """All of them, and what holds without."""
        self.ask()
        self.assertEqual(self.scrubs.asked, [ScrubOptions(links=True)])
        self.setUp()
        self.ask(rate=5, repositories=["a/b"], resume=True, skip_seconds=7)
        expected = ScrubOptions(5.0, (RepositoryName("a/b"),), True, 7.0, True)
        self.assertEqual(self.scrubs.asked, [expected])

    def test_report(self) -> None:
        """Progress, and a report in plain values."""
        self.ask()
        self.scrubs.tell(ScrubProgress(0.5, 2, 99, 1))
        finding = ScrubFinding("sha256:x", 9, ScrubOutcome.SET_ASIDE, ("a",))
        self.scrubs.done.callback(ScrubReport(True, damaged=1, findings=[finding]))
        progress, report = self.answers()
        self.assertEqual(
            progress["progress"],
            {"fraction": 0.5, "contents": 2, "size": 99, "damaged": 1},
        )
        self.assertEqual(
            report["report"]["findings"],
            [
                {
                    "digest": "sha256:x",
                    "size": 9,
                    "outcome": "set aside",
                    "repositories": ["a"],
                }
            ],
        )

    def test_stop(self) -> None:
        """A stop gives the report of what was done."""
        self.ask()
        self.send({"command": "stop"})
        (answer,) = self.answers()
        self.assertEqual(answer["report"]["contents"], 1)
        self.assertFalse(answer["report"]["complete"])
        self.assertFalse(self.transport.connected)

    def test_client_leaves(self) -> None:
        """The pass is stopped."""
        self.ask()
        self.transport.loseConnection()
        self.assertTrue(self.scrubs.done.called)

    def test_refused(self) -> None:
        """A wrong name and a second pass are answers, and no failures of ours."""
        self.ask(repositories=["NO"])
        self.assertIn("error", self.answers()[0])
        self.assertEqual(self.scrubs.asked, [])
        self.setUp()
        self.scrubs.done = failed(ScrubRefused("under way"))
        self.ask()
        self.assertEqual(self.answers(), [{"error": "under way"}])


class DiskTests(SynchronousTestCase):
    """The ``disk`` command, and those about pins."""

    def setUp(self) -> None:
        self.asked: list[Any] = []

    def preview(self, number: int) -> Deferred[EvictionPreview]:
        self.asked.append(number)
        going = Candidate(Stored("sha256:1", 5, 2.0), ("a",), Stays.PINNED)
        usage = SpaceUsage(1, disk=DiskSpace(10, 2))
        shortage = Shortage(3, Limit.FREE)
        return succeed(EvictionPreview(usage, 7, 2, shortage, (going,)))

    def run_command(self, command: Any, **options: Any) -> Any:
        return command.run(Requester("root"), options, print)

    def test_disk(self) -> None:
        """The whole plan, as JSON has it."""
        report = self.successResultOf(self.run_command(DiskCommand(self), number=3))
        self.assertEqual(self.asked, [3])
        self.assertEqual(json.loads(json.dumps(report))["limit"], 7)
        self.assertEqual(report["shortage"]["limit"], "cache.minfree")
        (candidate,) = report["candidates"]
        self.assertEqual(candidate["stays"], "belongs to a pinned image")
        self.assertEqual(candidate["stored"]["reference"], "sha256:1")

    def test_number(self) -> None:
        """There is a default, and a bound."""
        self.successResultOf(self.run_command(DiskCommand(self)))
        self.assertEqual(self.asked, [20])
        too_many = self.run_command(DiskCommand(self), number=MAX_CANDIDATES + 1)
        self.failureResultOf(too_many, CommandRefused)

    def test_pin(self) -> None:
        """A change is told, and what is malformed refused."""

        def change(who: Requester, pattern: str) -> Deferred[bool]:
            if not pattern:
                return failed(ValueError("is empty"))
            return succeed(pattern == "new")

        for pattern, changed in (("new", True), ("old", False)):
            done = self.run_command(PinCommand(change), pattern=pattern)
            self.assertEqual(self.successResultOf(done), {"changed": changed})
        self.failureResultOf(self.run_command(PinCommand(change)), CommandRefused)

    def test_pins(self) -> None:
        """All that were pinned so."""
        self.patterns = lambda: succeed(("a", "b"))
        done = self.run_command(PinsCommand(self))
        self.assertEqual(self.successResultOf(done), {"patterns": ["a", "b"]})
