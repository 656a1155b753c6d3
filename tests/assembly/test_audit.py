"""The audit of what the daemon deletes itself."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.web.test_audit import Trail
from txregistry.assembly.audit import AuditedCollector, AuditedPurger, make_audit
from txregistry.config.model import AuditSection, Log
from txregistry.interfaces.audit import AuditEntry
from txregistry.interfaces.collection import (
    CollectionBusy,
    CollectOptions,
    CollectReport,
    ICollector,
)
from txregistry.observe.audit import AuditLog, SilentAudit
from txregistry.testing.house import TestHouse


@implementer(ICollector)
class FakeCollector:
    """Does nothing, or fails."""

    error: Exception | None = None

    def collect(self, options: CollectOptions, tell: Any) -> Deferred[CollectReport]:
        """Succeed or fail."""
        return succeed(CollectReport()) if self.error is None else fail(self.error)


class OwnDeletionTests(SynchronousTestCase):
    """Collections and purges."""

    def test_choice(self) -> None:
        """It can be switched off."""
        self.assertIsInstance(make_audit(Log()), AuditLog)
        disabled = Log(audit=AuditSection(disabled=True))
        self.assertIsInstance(make_audit(disabled), SilentAudit)

    def test_collections(self) -> None:
        """One that ran or failed is recorded; a trial and a refused one are not."""
        trail, inner = Trail(), FakeCollector()
        collector = AuditedCollector(inner, trail)
        verifyObject(ICollector, collector)
        for options in (CollectOptions(dry_run=True), CollectOptions()):
            self.successResultOf(collector.collect(options=options, tell=print))
        inner.error = CollectionBusy()
        self.failureResultOf(collector.collect(options=CollectOptions(), tell=print))
        inner.error = OSError("disk")
        self.failureResultOf(collector.collect(options=CollectOptions(), tell=print))
        self.assertEqual(
            trail.entries,
            [
                AuditEntry("collect", detail="unreferenced content"),
                AuditEntry("collect", "OSError", detail="disk"),
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
