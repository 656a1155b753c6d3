"""Records what the daemon deletes without a client, around the parts that do."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.defer import Deferred
from zope.interface import implementer

from txregistry.config.model import Log
from txregistry.flow.deferred import deferred
from txregistry.interfaces.audit import DONE, AuditEntry, IAudit
from txregistry.interfaces.collection import (
    CollectionBusy,
    CollectOptions,
    CollectReport,
    ICollector,
    Progress,
)
from txregistry.observe.audit import AuditLog, SilentAudit
from txregistry.storage.tree import layout
from txregistry.storage.uploads.purge import PurgeReport, UploadPurger


def make_audit(log: Log) -> IAudit:
    """Return what ``log.audit`` asks for."""
    return SilentAudit() if log.audit.disabled else AuditLog()


@implementer(ICollector)
@attrs.define(eq=False)
class AuditedCollector:
    """Collects, and records it; a dry run and a refusal change nothing."""

    _collector: ICollector
    _audit: IAudit

    @deferred
    async def collect(
        self, options: CollectOptions, tell: Callable[[Progress], None]
    ) -> CollectReport:
        """Collect once; see :class:`ICollector`."""
        try:
            report = await self._collector.collect(options=options, tell=tell)
        except CollectionBusy:
            raise
        except Exception as error:
            self._record(type(error).__name__, str(error))
            raise
        if not options.dry_run:
            untagged = " and untagged manifests" if options.delete_untagged else ""
            self._record(DONE, f"unreferenced content{untagged}")
        return report

    def _record(self, outcome: str, detail: str) -> None:
        self._audit.record(AuditEntry("collect", outcome, detail=detail))


@attrs.define(eq=False)
class AuditedPurger(UploadPurger):
    """Purges, and records each upload that was deleted."""

    _audit: IAudit = attrs.field(factory=SilentAudit)

    def purge(self, before: float, dry_run: bool = False) -> Deferred[PurgeReport]:
        """Delete abandoned uploads; see :class:`UploadPurger`."""
        done: Deferred[PurgeReport] = super().purge(before, dry_run)
        return done if dry_run else done.addCallback(self._record)

    def _record(self, report: PurgeReport) -> PurgeReport:
        for path in report.deleted:
            where, _, upload = path.partition(f"/{layout.UPLOADS}/")
            name = where.removeprefix(f"{layout.REPOSITORIES}/")
            self._audit.record(
                AuditEntry("purge", repository=name, detail=f"upload {upload}")
            )
        return report
