"""Collect a store: in the daemon that serves it, or in this process."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from txregistry.admin.requester import ourselves
from txregistry.assembly.audit import AuditedCollector
from txregistry.assembly.context import Context
from txregistry.assembly.settings import own_path
from txregistry.assembly.storage import StorageParts
from txregistry.cli.daemon import DaemonFailed, ask, connect
from txregistry.cli.exits import CommandFailed
from txregistry.cli.offline import OfflineFailed, work_offline
from txregistry.config.model import Config
from txregistry.interfaces.collection import CollectOptions, CollectReport

#: Called with progress: a stage, and how many items were examined.
Tell = Callable[[str, int], None]

Options = CollectOptions


class CollectFailed(CommandFailed):
    """Nothing, or not all, was collected; the message says why."""


def collect(
    config: Config, options: Options, tell: Tell, unlocked: bool = False
) -> dict[str, Any]:
    """Collect; give the report.

    :param unlocked: also where nothing tells whether a registry uses the storage.
    :raise CollectFailed: the collection failed.
    """
    try:
        connection = connect(own_path(config, "control.sock", ""))
    except DaemonFailed as error:
        raise CollectFailed(str(error), error.status) from error
    if connection is None:
        return _collect_here(config, options, tell, unlocked)
    with connection:
        return _ask(connection, options, tell)


def _ask(connection: socket.socket, options: Options, tell: Tell) -> dict[str, Any]:
    def progress(made: Mapping[str, Any]) -> None:
        tell(made["stage"], int(made["done"]))

    try:
        return ask(connection, "collect", attrs.asdict(options), progress)
    except DaemonFailed as error:
        raise CollectFailed(str(error)) from error


def _collect_here(
    config: Config, options: Options, tell: Tell, unlocked: bool
) -> dict[str, Any]:
    async def work(context: Context, storage: StorageParts) -> CollectReport:
        audit, collector = context.audit, storage.local.collector
        return await AuditedCollector(collector, audit, ourselves()).collect(
            options=options, tell=lambda made: tell(made.stage, made.done)
        )

    try:
        return attrs.asdict(work_offline(config, work, unlocked))
    except OfflineFailed as error:
        raise CollectFailed(str(error)) from error
