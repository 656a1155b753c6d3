"""The commands of the control socket."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import attrs
from twisted.internet.defer import Deferred

from txregistry.flow.deferred import deferred
from txregistry.interfaces.collection import (
    CollectionBusy,
    CollectOptions,
    ICollector,
    Progress,
)

#: Called with progress: a mapping that can be written as JSON.
Tell = Callable[[Mapping[str, Any]], None]


class CommandRefused(Exception):
    """The command cannot run now, or not with these options; the message says why."""


class Command(Protocol):
    """One command of the control socket."""

    def run(self, options: Mapping[str, Any], tell: Tell) -> Deferred[dict[str, Any]]:
        """Run it; fires with a report that can be written as JSON.

        Fails with ``CommandRefused``, or with any other exception, which is logged.
        Cancelling stops it; it may then fire with a report of what was done.
        """


@attrs.frozen
class CollectCommand:
    """``collect``: the options are those of :class:`CollectOptions`."""

    _collector: ICollector

    @deferred
    async def run(self, options: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
        """Collect, with progress."""

        def progress(made: Progress) -> None:
            tell(attrs.asdict(made))

        wanted = CollectOptions(
            bool(options.get("dry_run")),
            bool(options.get("delete_untagged")),
            float(options.get("grace_seconds", CollectOptions().grace_seconds)),
        )
        try:
            report = await self._collector.collect(options=wanted, tell=progress)
        except CollectionBusy as error:
            raise CommandRefused("a collection is under way already") from error
        return attrs.asdict(report)
