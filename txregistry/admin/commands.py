"""The commands of the control socket."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import attrs
from twisted.internet.defer import Deferred

from txregistry.flow.deferred import deferred
from txregistry.interfaces.collection import CollectOptions, ICollector, Progress
from txregistry.interfaces.reload import IReloader

#: Reports progress, as a mapping of JSON values.
Tell = Callable[[Mapping[str, Any]], None]


class Command(Protocol):
    """A command."""

    def run(
        self, who: str, options: Mapping[str, Any], tell: Tell
    ) -> Deferred[dict[str, Any]]:
        """Run the command; fires with a report of JSON values.

        Fails with any exception; its message is sent to the client.

        :param who: the requester, for the log.
        """


@attrs.frozen
class CollectCommand:
    """``collect``: the options are those of :class:`CollectOptions`."""

    _collector: ICollector

    @deferred
    async def run(
        self, who: str, options: Mapping[str, Any], tell: Tell
    ) -> dict[str, Any]:
        """Collect, with progress."""

        def progress(made: Progress) -> None:
            tell(attrs.asdict(made))

        wanted = CollectOptions(
            bool(options.get("dry_run")),
            bool(options.get("delete_untagged")),
            float(options.get("grace_seconds", CollectOptions().grace_seconds)),
        )
        report = await self._collector.collect(options=wanted, tell=progress)
        return attrs.asdict(report)


@attrs.frozen
class ReloadCommand:
    """``reload``: no options; the report is a :class:`ReloadReport`."""

    _reloader: IReloader

    @deferred
    async def run(
        self, who: str, options: Mapping[str, Any], tell: Tell
    ) -> dict[str, Any]:
        """Reload."""
        return attrs.asdict(await self._reloader.reload(who=who))
