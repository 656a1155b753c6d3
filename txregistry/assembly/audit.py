"""Records what changes without a request of HTTP, around the parts that do it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from zope.interface import implementer

from txregistry.admin.values import outcome_of
from txregistry.config.model import Log
from txregistry.flow.deferred import deferred
from txregistry.interfaces.audit import (
    DONE,
    STOPPED,
    AuditEntry,
    IAudit,
    Requester,
)
from txregistry.interfaces.collection import (
    CollectionRefused,
    CollectOptions,
    CollectReport,
    ICollector,
    Progress,
)
from txregistry.interfaces.commands import Command, CommandRefused, Tell
from txregistry.interfaces.eviction import IPinList
from txregistry.interfaces.offline import IOfflineSwitch
from txregistry.interfaces.scrub import (
    IScrubber,
    ScrubOptions,
    ScrubProgress,
    ScrubRefused,
    ScrubReport,
)
from txregistry.observe.audit import AuditLog, SilentAudit
from txregistry.storage.tree import layout
from txregistry.storage.uploads.purge import PurgeReport, UploadPurger

#: Characters of the names of images in one entry.
_MAX_DETAIL = 500


def make_audit(log: Log) -> IAudit:
    """Return what ``log.audit`` asks for."""
    return SilentAudit() if log.audit.disabled else AuditLog()


@implementer(ICollector)
@attrs.define(eq=False)
class AuditedCollector:
    """Collects, and records it with who asked; a dry run changes nothing."""

    _collector: ICollector
    _audit: IAudit
    _who: Requester

    @deferred
    async def collect(
        self, options: CollectOptions, tell: Callable[[Progress], None]
    ) -> CollectReport:
        """Collect once; see :class:`ICollector`."""
        try:
            report = await self._collector.collect(options=options, tell=tell)
        except Exception as error:
            self._record(options, *_failure(error, CollectionRefused))
            raise
        untagged = " and untagged manifests" if options.delete_untagged else ""
        self._record(options, DONE, f"unreferenced content{untagged}")
        return report

    def _record(self, options: CollectOptions, outcome: str, detail: str) -> None:
        if not options.dry_run:
            _record(self._audit, "collect", self._who, outcome, detail)


@implementer(IScrubber)
@attrs.define(eq=False)
class AuditedScrubber:
    """Scrubs, and records it with who asked."""

    _scrubber: IScrubber
    _audit: IAudit
    _who: Requester

    @deferred
    async def scrub(
        self, options: ScrubOptions, tell: Callable[[ScrubProgress], None]
    ) -> ScrubReport:
        """Make one pass; see :class:`IScrubber`."""
        try:
            report = await self._scrubber.scrub(options=options, tell=tell)
        except Exception as error:
            self._record(*_failure(error, ScrubRefused))
            raise
        outcome = DONE if report.complete else STOPPED
        self._record(outcome, f"{report.contents} contents, {report.damaged} damaged")
        return report

    def _record(self, outcome: str, detail: str) -> None:
        _record(self._audit, "verify", self._who, outcome, detail)


@implementer(IOfflineSwitch)
@attrs.define(eq=False)
class AuditedSwitch:
    """Goes offline or online, and records it with who asked."""

    _switch: IOfflineSwitch
    _audit: IAudit
    _who: Requester

    @property
    def is_on(self) -> bool:
        """Tell whether no upstream is asked."""
        found: bool = self._switch.is_on
        return found

    def switch(self, on: bool) -> bool:
        """Switch; see :class:`IOfflineSwitch`. What changes nothing is not recorded."""
        changed: bool = self._switch.switch(on=on)
        if changed:
            _record(self._audit, "offline", self._who, DONE, "on" if on else "off")
        return changed


@attrs.define(eq=False)
class AuditedCommand:
    """Runs a command about images, and records it with who asked."""

    _action: str
    _command: Command
    _audit: IAudit

    @deferred
    async def run(
        self, who: Requester, options: Mapping[str, Any], tell: Tell
    ) -> dict[str, Any]:
        """Run it; see :class:`Command`."""
        images = ", ".join(map(str, options.get("images") or ()))[:_MAX_DETAIL]
        try:
            report: dict[str, Any] = await self._command.run(who, options, tell)
        except Exception as error:
            outcome, why = _failure(error, CommandRefused)
            _record(self._audit, self._action, who, outcome, why or images)
            raise
        _record(self._audit, self._action, who, DONE, images)
        return report


@implementer(IPinList)
@attrs.define(eq=False)
class AuditedPins:
    """Pins and unpins, and records it with who asked."""

    _pins: IPinList
    _audit: IAudit
    _who: Requester

    def patterns(self) -> Deferred[Sequence[str]]:
        """Fire with all patterns; see :class:`IPinList`."""
        return self._pins.patterns()

    def pin(self, pattern: str) -> Deferred[bool]:
        """Pin; see :class:`IPinList`. What changes nothing is not recorded."""
        return self._recorded("pin", pattern, self._pins.pin(pattern=pattern))

    def unpin(self, pattern: str) -> Deferred[bool]:
        """Unpin; likewise."""
        return self._recorded("unpin", pattern, self._pins.unpin(pattern=pattern))

    @deferred
    async def _recorded(
        self, action: str, pattern: str, change: Deferred[bool]
    ) -> bool:
        try:
            changed = await change
        except Exception as error:
            outcome, why = _failure(error, ValueError)
            detail = f"{pattern}: {why}" if why else pattern
            _record(self._audit, action, self._who, outcome, detail)
            raise
        if changed:
            _record(self._audit, action, self._who, DONE, pattern)
        return changed


def _failure(error: Exception, refusal: type[Exception]) -> tuple[str, str]:
    """Return the outcome and the detail of work that has failed (pure)."""
    outcome = outcome_of(error, refusal)
    return outcome, "" if outcome == STOPPED else str(error)


def _record(
    audit: IAudit, action: str, who: Requester, outcome: str, detail: str
) -> None:
    audit.record(AuditEntry(action, outcome, who.who, who.peer, detail=detail))


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
