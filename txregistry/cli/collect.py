"""Collect a store: in the daemon that serves it, or in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import attrs

from txregistry.assembly.ownpaths import own_path
from txregistry.cli.daemon import DaemonFailed, TellMade, ask, connect
from txregistry.cli.exits import CommandFailed, OfflineFailed
from txregistry.cli.remote import RemoteDaemon
from txregistry.config.model import Config
from txregistry.interfaces.collection import CollectOptions

#: Called with progress: a stage, and how many items were examined.
Tell = Callable[[str, int], None]

#: Has a daemon do a command with its options; returns the report.
AskDaemon = Callable[[str, Mapping[str, Any], TellMade], dict[str, Any]]

Options = CollectOptions


class CollectFailed(CommandFailed):
    """Nothing, or not all, was collected; the message says why."""


def collect(
    where: Config | RemoteDaemon, options: Options, tell: Tell, unlocked: bool = False
) -> dict[str, Any]:
    """Collect; give the report.

    :param where: a daemon elsewhere, or the configuration of this storage.
    :param unlocked: also where nothing tells whether a registry uses the storage.
    :raise CollectFailed: the collection failed.
    """
    if isinstance(where, RemoteDaemon):
        return _ask(where.ask, options, tell)
    if unlocked and not where.storage.is_exclusive:
        # A daemon that shares its storage does not know what others are about to use.
        return _collect_here(where, options, tell, unlocked)
    try:
        connection = connect(own_path(where, "control.sock", ""))
    except DaemonFailed as error:
        raise CollectFailed(str(error), error.status) from error
    if connection is None:
        return _collect_here(where, options, tell, unlocked)
    with connection:
        return _ask(partial(ask, connection), options, tell)


def _ask(daemon: AskDaemon, options: Options, tell: Tell) -> dict[str, Any]:
    def progress(made: Mapping[str, Any]) -> None:
        tell(made["stage"], int(made["done"]))

    try:
        return daemon("collect", attrs.asdict(options), progress)
    except DaemonFailed as error:
        raise CollectFailed(str(error), error.status) from error


def _collect_here(
    config: Config, options: Options, tell: Tell, unlocked: bool
) -> dict[str, Any]:
    # Most of a daemon; see Note [Light commands] in ``places``.
    from txregistry.cli.collect_offline import collect_here

    try:
        return collect_here(config, options, tell, unlocked)
    except OfflineFailed as error:
        raise CollectFailed(str(error)) from error
