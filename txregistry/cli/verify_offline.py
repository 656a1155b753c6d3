"""Read all that is stored in this process, while no daemon serves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from txregistry.admin.requester import ourselves
from txregistry.assembly.audit import AuditedScrubber
from txregistry.assembly.context import Context
from txregistry.assembly.scrub import assemble_scrubber
from txregistry.assembly.storage import StorageParts
from txregistry.cli.interrupt import on_interrupt
from txregistry.cli.offline import work_offline
from txregistry.config.model import Config
from txregistry.interfaces.scrub import ScrubOptions, ScrubProgress, ScrubReport


def verify_here(
    config: Config,
    wanted: ScrubOptions,
    tell: Callable[[Mapping[str, Any]], None],
    unlocked: bool,
) -> dict[str, Any]:
    """Read what is stored; give the report.

    :param tell: called with progress, as of :class:`ScrubProgress`.
    :param unlocked: also where nothing tells whether a registry uses the storage.
    :raise OfflineFailed: another process has the storage, or the work failed.
    """
    is_cache = config.proxy.is_cache

    async def work(context: Context, storage: StorageParts) -> ScrubReport:
        scrubber = assemble_scrubber(
            storage.local,
            None,
            is_cache,
            context.metrics.scrub,
            context.clock,
            context.reactor,
        )
        try:
            audited = AuditedScrubber(scrubber, context.audit, ourselves())
            return await _stoppable(context, audited.scrub(wanted, progress))
        finally:
            if is_cache:
                await storage.local.databases.ledger.close()

    def progress(made: ScrubProgress) -> None:
        tell(attrs.asdict(made))

    return attrs.asdict(work_offline(config, work, unlocked, "verify"))


async def _stoppable(context: Context, work: Deferred[ScrubReport]) -> ScrubReport:
    # The handler of the reactor would end it without a report.
    with on_interrupt(lambda: context.reactor.callFromThread(work.cancel)):
        return await work
