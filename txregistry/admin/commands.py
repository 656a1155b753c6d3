"""The commands of the control socket."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.interfaces.audit import Requester
from txregistry.interfaces.collection import (
    CollectionRefused,
    CollectOptions,
    CollectReport,
    ICollector,
    Progress,
)
from txregistry.interfaces.commands import CommandRefused, Tell
from txregistry.interfaces.eviction import IEvictionPlan, IPinList
from txregistry.interfaces.offline import IOfflineSwitch
from txregistry.interfaces.overview import IOverlook
from txregistry.interfaces.reload import IReloader, ReloadRefused
from txregistry.interfaces.scrub import (
    IScrubber,
    ScrubOptions,
    ScrubProgress,
    ScrubRefused,
)
from txregistry.spec.errors import NameInvalid
from txregistry.spec.reference import RepositoryName
from txregistry.spec.values import as_values

#: Blobs that ``disk`` tells of unless asked for more, and at most.
CANDIDATES, MAX_CANDIDATES = 20, 1000


@attrs.frozen
class CollectCommand:
    """``collect``: the options are those of :class:`CollectOptions`.

    :ivar collector_for: gives the collector of whoever asks.
    """

    _collector_for: Callable[[Requester], ICollector]

    @deferred
    async def run(
        self, who: Requester, options: Mapping[str, Any], tell: Tell
    ) -> dict[str, Any]:
        """Collect, with progress."""

        def progress(made: Progress) -> None:
            tell(as_values(made))

        wanted = CollectOptions(
            bool(options.get("dry_run")),
            bool(options.get("delete_untagged")),
            float(options.get("grace_seconds", CollectOptions().grace_seconds)),
        )
        try:
            report = await self._collector_for(who).collect(
                options=wanted, tell=progress
            )
        except CollectionRefused as error:
            raise CommandRefused(str(error)) from error
        return as_values(report)


@implementer(ICollector)
@attrs.frozen
class NoCollector:
    """The collector of a daemon that does not collect, and why."""

    _why: str

    @deferred
    async def collect(
        self, options: CollectOptions, tell: Callable[[Progress], None]
    ) -> CollectReport:
        """Refuse it."""
        raise CollectionRefused(self._why)


@attrs.frozen
class VerifyCommand:
    """``verify``: read all that is stored.

    Options: ``rate`` in bytes per second, ``repositories``, ``resume`` and
    ``skip_seconds``; see :class:`ScrubOptions`.

    :ivar scrubber_for: gives the scrubber of whoever asks.
    :ivar looks_at_links: also finds links to content that is not there.
    """

    _scrubber_for: Callable[[Requester], IScrubber]
    _looks_at_links: bool

    @deferred
    async def run(
        self, who: Requester, options: Mapping[str, Any], tell: Tell
    ) -> dict[str, Any]:
        """Scrub, with progress; stopping gives a report of what was read."""

        def progress(made: ScrubProgress) -> None:
            tell(as_values(made))

        try:
            wanted = self._read(options)
            report = await self._scrubber_for(who).scrub(options=wanted, tell=progress)
        except (NameInvalid, ScrubRefused) as error:
            raise CommandRefused(str(error)) from error
        return as_values(report)

    def _read(self, options: Mapping[str, Any]) -> ScrubOptions:
        names = options.get("repositories") or []
        return ScrubOptions(
            float(options.get("rate") or 0.0),
            tuple(RepositoryName.parse(str(name)) for name in names),
            bool(options.get("resume")),
            float(options.get("skip_seconds") or 0.0),
            self._looks_at_links,
        )


@attrs.frozen
class ReloadCommand:
    """``reload``: no options; the report is a :class:`ReloadReport`."""

    _reloader: IReloader

    @deferred
    async def run(
        self, who: Requester, options: Mapping[str, Any], tell: Tell
    ) -> dict[str, Any]:
        """Reload."""
        try:
            return as_values(await self._reloader.reload(who=who))
        except ReloadRefused as error:
            raise CommandRefused(str(error)) from error


@attrs.frozen
class DiskCommand:
    """``disk``: what a cache takes, and what would go next; deletes nothing.

    Options: ``number`` of candidates. The report is an :class:`EvictionPreview`, with
    the keys of the limits and the reasons to stay as texts.
    """

    _plan: IEvictionPlan

    @deferred
    async def run(
        self, who: Requester, options: Mapping[str, Any], tell: Tell
    ) -> dict[str, Any]:
        """Look, and delete nothing."""
        number = int(options.get("number") or CANDIDATES)
        if not 0 < number <= MAX_CANDIDATES:
            raise CommandRefused(f"number: expected 1 to {MAX_CANDIDATES}")
        preview = await self._plan.preview(number=number)
        return as_values(preview)


@attrs.frozen
class PinCommand:
    """``pin`` and ``unpin``: an image stays, or does no more for this pattern.

    Options: ``pattern``. The report says whether anything has ``changed``.

    :ivar change: of the list of pins, by whoever asks.
    """

    _change: Callable[[Requester, str], Deferred[bool]]

    @deferred
    async def run(
        self, who: Requester, options: Mapping[str, Any], tell: Tell
    ) -> dict[str, Any]:
        """Change the list."""
        try:
            changed = await self._change(who, str(options.get("pattern") or ""))
        except ValueError as error:
            raise CommandRefused(f"pattern: {error}") from error
        return {"changed": changed}


@attrs.frozen
class PinsCommand:
    """``pins``: no options; the report has ``patterns`` that were pinned so."""

    _pins: IPinList

    @deferred
    async def run(
        self, who: Requester, options: Mapping[str, Any], tell: Tell
    ) -> dict[str, Any]:
        """Tell them."""
        return {"patterns": list(await self._pins.patterns())}


@attrs.frozen
class HealthCommand:
    """``health``: no options; the report has ``problems`` and ``notes``, by name.

    :ivar problems: fires with them, and never fails.
    :ivar notes: gives what is worth knowing and no problem, by name.
    """

    _problems: Callable[[], Deferred[Mapping[str, str]]]
    _notes: Callable[[], Mapping[str, str]] = dict

    @deferred
    async def run(
        self, who: Requester, options: Mapping[str, Any], tell: Tell
    ) -> dict[str, Any]:
        """Tell what is wrong."""
        return {"problems": dict(await self._problems()), "notes": dict(self._notes())}


@attrs.frozen
class StatusCommand:
    """``status``: no options; the report is an :class:`Overview`."""

    _overlook: IOverlook

    @deferred
    async def run(
        self, who: Requester, options: Mapping[str, Any], tell: Tell
    ) -> dict[str, Any]:
        """Look for a second."""
        return as_values(await self._overlook.look())


@attrs.frozen
class OfflineCommand:
    """``offline``: ask no upstream anything, or ask again.

    Option ``on``: true or false; without it nothing is changed. The report has
    ``offline``, as it is now, and ``changed``.

    :ivar switch_for: gives the switch of whoever asks.
    """

    _switch_for: Callable[[Requester], IOfflineSwitch]

    @deferred
    async def run(
        self, who: Requester, options: Mapping[str, Any], tell: Tell
    ) -> dict[str, Any]:
        """Switch, or only tell."""
        wanted, switch = options.get("on"), self._switch_for(who)
        if wanted is not None and not isinstance(wanted, bool):
            raise CommandRefused("on: expected true or false")
        changed = wanted is not None and switch.switch(wanted)
        return {"offline": switch.is_on, "changed": changed}
