"""The audit of what the daemon deletes itself."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.web.test_audit import Trail
from txregistry.assembly.audit import (
    AuditedCollector,
    AuditedCommand,
    AuditedPins,
    AuditedPurger,
    AuditedScrubber,
    AuditedSwitch,
    make_audit,
)
from txregistry.config.model import AuditSection, Log
from txregistry.interfaces.audit import AuditEntry, Requester
from txregistry.interfaces.collection import (
    CollectionBusy,
    CollectOptions,
    CollectReport,
    ICollector,
)
from txregistry.interfaces.commands import CommandRefused
from txregistry.interfaces.eviction import IPinList
from txregistry.interfaces.offline import IOfflineSwitch
from txregistry.interfaces.scrub import (
    IScrubber,
    ScrubOptions,
    ScrubRefused,
    ScrubReport,
)
from txregistry.observe.audit import AuditLog, SilentAudit
from txregistry.remote.offline import OfflineSwitch
from txregistry.testing.house import TestHouse


@implementer(ICollector)
class FakeCollector:
    """Does nothing, or fails."""

    error: Exception | None = None

    def collect(self, options: CollectOptions, tell: Any) -> Deferred[CollectReport]:
        """Succeed or fail."""
        return succeed(CollectReport()) if self.error is None else fail(self.error)


@implementer(IScrubber)
class FakeScrubber:
    """Gives a report, or fails."""

    result: Any = None

    def scrub(self, options: ScrubOptions, tell: Any) -> Deferred[ScrubReport]:
        """Succeed or fail."""
        is_error = isinstance(self.result, Exception)
        return fail(self.result) if is_error else succeed(self.result)


WHO = Requester("root", "pid:7")


class OfflineTests(SynchronousTestCase):
    """Who has taken a cache offline."""

    def test_changes(self) -> None:
        """Each change is recorded, and what changes nothing is not."""
        trail, inner = Trail(), OfflineSwitch()
        switch = AuditedSwitch(inner, trail, WHO)
        self.assertTrue(verifyObject(IOfflineSwitch, switch))
        self.assertTrue(verifyObject(IOfflineSwitch, inner))
        found = [switch.switch(on) for on in (False, True, True, False)]
        self.assertEqual(found, [False, True, False, True])
        self.assertFalse(switch.is_on)
        told = [(entry.action, entry.who, entry.detail) for entry in trail.entries]
        self.assertEqual(told, [("offline", "root", "on"), ("offline", "root", "off")])


class Doing:
    """A command that does nothing, or fails."""

    error: Exception | None = None

    def run(self, who: Requester, options: Any, tell: Any) -> Deferred[Any]:
        return succeed({"a": 1}) if self.error is None else fail(self.error)


class CommandTests(SynchronousTestCase):
    """Commands about images."""

    def test_entries(self) -> None:
        """What was done about which images, and why one was not."""
        trail, doing = Trail(), Doing()
        command = AuditedCommand("warm", doing, trail)
        options = {"images": ["a:1", "b"]}
        done = command.run(WHO, options, lambda _: None)
        self.assertEqual(self.successResultOf(done), {"a": 1})
        for error in (CommandRefused("no name"), OSError(5, "gone")):
            doing.error = error
            done = command.run(WHO, options, lambda _: None)
            self.failureResultOf(done, type(error))
        told = [(entry.outcome, entry.detail) for entry in trail.entries]
        self.assertEqual(told[:2], [("done", "a:1, b"), ("REFUSED", "no name")])
        self.assertEqual(told[2][0], "FAILED")
        self.assertEqual({entry.who for entry in trail.entries}, {"root"})


@implementer(IPinList)
class FakePins:
    """A list that nobody stores."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def patterns(self) -> Deferred[Any]:
        """Fire with all."""
        return succeed(list(self.found))

    def pin(self, pattern: str) -> Deferred[bool]:
        """Add one that is not empty."""
        if not pattern:
            return fail(ValueError("is empty"))
        is_new = pattern not in self.found
        self.found += [pattern] * is_new
        return succeed(is_new)

    def unpin(self, pattern: str) -> Deferred[bool]:
        """Remove one."""
        was_there = pattern in self.found
        if was_there:
            self.found.remove(pattern)
        return succeed(was_there)


class PinTests(SynchronousTestCase):
    """Who has pinned images."""

    def setUp(self) -> None:
        self.trail, self.inner = Trail(), FakePins()
        self.pins = AuditedPins(self.inner, self.trail, WHO)

    def test_interface(self) -> None:
        """It is a list of pins, with what the one inside has."""
        self.assertTrue(verifyObject(IPinList, self.pins))
        self.assertTrue(verifyObject(IPinList, self.inner))
        self.inner.found.append("a")
        self.assertEqual(self.successResultOf(self.pins.patterns()), ["a"])

    def test_changes(self) -> None:
        """Each change is recorded, and what changes nothing is not."""
        pins = self.pins
        done = [pins.pin("a"), pins.pin("a"), pins.unpin("a"), pins.unpin("a")]
        found = [self.successResultOf(one) for one in done]
        self.assertEqual(found, [True, False, True, False])
        told = [recorded("pin", "done", "a"), recorded("unpin", "done", "a")]
        self.assertEqual(self.trail.entries, told)

    def test_failures(self) -> None:
        """One that is refused, or fails, is recorded with why."""
        self.failureResultOf(self.pins.pin(""), ValueError)
        self.patch(self.inner, "unpin", lambda pattern: fail(OSError("full")))
        self.failureResultOf(self.pins.unpin("a"), OSError)
        self.assertEqual(
            self.trail.entries,
            [
                recorded("pin", "REFUSED", ": is empty"),
                recorded("unpin", "FAILED", "a: full"),
            ],
        )


def recorded(action: str, outcome: str, detail: str) -> AuditEntry:
    return AuditEntry(action, outcome, "root", "pid:7", detail=detail)


class OwnDeletionTests(SynchronousTestCase):
    """Collections and purges."""

    def test_choice(self) -> None:
        """It can be switched off."""
        self.assertIsInstance(make_audit(Log()), AuditLog)
        disabled = Log(audit=AuditSection(disabled=True))
        self.assertIsInstance(make_audit(disabled), SilentAudit)

    def test_collections(self) -> None:
        """With who asked, whatever became of it; a trial changes nothing."""
        trail, inner = Trail(), FakeCollector()
        collector = AuditedCollector(inner, trail, WHO)
        verifyObject(ICollector, collector)
        for options in (CollectOptions(dry_run=True), CollectOptions()):
            self.successResultOf(collector.collect(options=options, tell=print))
        for error in (CollectionBusy("busy"), OSError("disk"), CancelledError()):
            inner.error = error
            done = collector.collect(options=CollectOptions(), tell=print)
            self.failureResultOf(done, type(error))
        self.assertEqual(
            trail.entries,
            [
                recorded("collect", "done", "unreferenced content"),
                recorded("collect", "REFUSED", "busy"),
                recorded("collect", "FAILED", "disk"),
                recorded("collect", "STOPPED", ""),
            ],
        )

    def test_verifications(self) -> None:
        """One that ends early, on its own or by an error, is told from a whole one."""
        trail, inner = Trail(), FakeScrubber()
        scrubber = AuditedScrubber(inner, trail, WHO)
        verifyObject(IScrubber, scrubber)
        for inner.result in (
            ScrubReport(complete=True, contents=3, damaged=1),
            ScrubReport(),
            ScrubRefused("busy"),
            OSError("disk"),
        ):
            done = scrubber.scrub(options=ScrubOptions(), tell=print)
            done.addErrback(lambda _: None)
        self.assertEqual(
            trail.entries,
            [
                recorded("verify", "done", "3 contents, 1 damaged"),
                recorded("verify", "STOPPED", "0 contents, 0 damaged"),
                recorded("verify", "REFUSED", "busy"),
                recorded("verify", "FAILED", "disk"),
            ],
        )

    def test_purges(self) -> None:
        """Each upload that was deleted is recorded with its repository."""
        trail, house = Trail(), TestHouse()
        begun = house.send("POST", "/v2/a/b/blobs/uploads/").header("Location") or ""
        upload = begun.partition("/uploads/")[2].partition("?")[0]
        house.settle(house.pending_uploads.stopService())
        assert house.driver is not None
        purger = AuditedPurger(house.driver, house.clock, trail)
        house.settle(purger.purge(before=2e9, dry_run=True))
        self.assertEqual(trail.entries, [])
        house.settle(purger.purge(before=2e9))
        self.assertEqual(
            trail.entries,
            [AuditEntry("purge", repository="a/b", detail=f"upload {upload}")],
        )
