"""Collect a store: in the daemon that serves it, or in this process."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from txregistry.assembly.ownpaths import own_path
from txregistry.cli.daemon import DaemonFailed, ask, connect
from txregistry.cli.exits import CommandFailed, OfflineFailed
from txregistry.config.model import Config
from txregistry.interfaces.collection import CollectOptions

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
    if unlocked and not config.storage.is_exclusive:
        # A daemon that shares its storage does not know what others are about to use.
        return _collect_here(config, options, tell, unlocked)
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
    # Most of a daemon; see Note [Light commands] in ``places``.
    from txregistry.cli.collect_offline import collect_here

    try:
        return collect_here(config, options, tell, unlocked)
    except OfflineFailed as error:
        raise CollectFailed(str(error)) from error
