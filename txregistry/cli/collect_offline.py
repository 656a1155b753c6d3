"""Collect a store in this process, while no daemon serves it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from txregistry.admin.requester import ourselves
from txregistry.assembly.audit import AuditedCollector
from txregistry.assembly.context import Context
from txregistry.assembly.storage import StorageParts
from txregistry.cli.offline import work_offline
from txregistry.config.model import Config
from txregistry.interfaces.collection import CollectOptions, CollectReport


def collect_here(
    config: Config,
    options: CollectOptions,
    tell: Callable[[str, int], None],
    unlocked: bool,
) -> dict[str, Any]:
    """Collect; give the report.

    :param tell: called with progress: a stage, and how many items were examined.
    :param unlocked: also where nothing tells whether a registry uses the storage.
    :raise OfflineFailed: another process has the storage, or the collection failed.
    """

    async def work(context: Context, storage: StorageParts) -> CollectReport:
        audit, collector = context.audit, storage.local.collector
        return await AuditedCollector(collector, audit, ourselves()).collect(
            options=options, tell=lambda made: tell(made.stage, made.done)
        )

    action = "" if options.dry_run else "collect"
    return attrs.asdict(work_offline(config, work, unlocked, action))
