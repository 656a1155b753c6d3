"""Collect a store: in the daemon that serves it, or in this process."""

from __future__ import annotations

import os
import pwd
import random
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import react

from txregistry.assembly.context import make_context
from txregistry.assembly.settings import own_path
from txregistry.assembly.storage import build_storage
from txregistry.cli.daemon import DaemonFailed, ask, connect
from txregistry.config.model import Config
from txregistry.daemon.lock import DirectoryBusy, DirectoryLock
from txregistry.daemon.storage import Journaling
from txregistry.flow.deferred import deferred
from txregistry.interfaces.blobs import IDescriptorCache
from txregistry.interfaces.collection import CollectOptions, CollectReport
from txregistry.storage.caches.redis_descriptors import RedisDescriptors

#: Called with progress: a stage, and how many items were examined.
Tell = Callable[[str, int], None]

Options = CollectOptions


class CollectFailed(Exception):
    """Nothing, or not all, was collected; the message says why."""


def collect(
    config: Config, options: Options, tell: Tell, unlocked: bool = False
) -> dict[str, Any]:
    """Collect; give the report.

    :param unlocked: also where nothing tells whether a registry uses the storage.
    :raise CollectFailed: the collection failed.
    """
    path = own_path(config, "control.sock")
    connection = connect(path)
    if connection is None:
        place = _lockable(config, unlocked)
        _check_owner(os.path.dirname(place))
        return _collect_here(config, options, tell, DirectoryLock(place))
    with connection:
        return _ask(connection, options, tell)


def _ask(connection: socket.socket, options: Options, tell: Tell) -> dict[str, Any]:
    def progress(made: Mapping[str, Any]) -> None:
        tell(made["stage"], int(made["done"]))

    try:
        return ask(connection, "collect", attrs.asdict(options), progress)
    except DaemonFailed as error:
        raise CollectFailed(str(error)) from error


def _lockable(config: Config, unlocked: bool) -> str:
    """Give the path of the lock; empty where there is none and none is wanted.

    :raise CollectFailed: there is none.
    """
    place = own_path(config, "lock", "")
    if not place and not unlocked:
        raise CollectFailed(
            f"the storage driver {config.storage.driver} keeps no lock: stop each"
            " registry that uses its storage, and say --unlocked"
        )
    return place


def _collect_here(
    config: Config, options: Options, tell: Tell, lock: DirectoryLock
) -> dict[str, Any]:
    try:
        lock.startService()
    except (DirectoryBusy, OSError) as error:
        raise CollectFailed(
            f"{error}, and its control socket does not answer"
        ) from error
    done: list[CollectReport] = []
    problems: list[BaseException] = []

    @deferred
    async def main(reactor: Any) -> None:
        try:
            done.append(await _run(reactor, config, options, tell))
        except Exception as error:
            # Reported below, when the reactor has ended.
            problems.append(error)

    try:
        react(main)
    except SystemExit as ended:
        if ended.code and not problems:
            raise
    finally:
        lock.stopService()
    if problems:
        raise CollectFailed(str(problems[0])) from problems[0]
    return attrs.asdict(done[0])


def _check_owner(directory: str) -> None:
    """Refuse to leave files of root in a directory that another user's daemon writes.

    :raise CollectFailed: this is root, and the directory is not root's.
    """
    with suppress(FileNotFoundError):
        owner = os.stat(directory).st_uid if directory else 0
        if owner and os.geteuid() == 0:
            name = _name(owner)
            raise CollectFailed(
                f"no daemon answers, and {directory} belongs to {name}, who could not"
                f" write to it afterwards: use runuser -u {name} -- txregistry …"
            )


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"


async def _run(
    reactor: Any, config: Config, options: Options, tell: Tell
) -> CollectReport:
    jitter = random.SystemRandom().random
    storage = build_storage(make_context(config, reactor, os.environ, jitter))
    for service in storage.foundations:
        service.startService()
    if storage.redis is not None:
        await storage.redis.ready()  # it must forget deleted blobs
    journaling = Journaling(storage.local.driver, reactor)
    try:
        await journaling.startService()
        return await storage.local.collector.collect(
            options=options, tell=lambda progress: tell(progress.stage, progress.done)
        )
    finally:
        _warn_of_redis(storage.descriptors)
        try:
            await storage.local.databases.index.close()
        finally:
            await _stop(journaling, *reversed(storage.foundations))


async def _stop(*services: Service) -> None:
    """Stop services one after the other, even if some fail."""
    for position, service in enumerate(services, 1):
        try:
            await maybeDeferred(service.stopService)
        except Exception:
            await _stop(*services[position:])
            raise


def _warn_of_redis(descriptors: IDescriptorCache) -> None:
    if isinstance(descriptors, RedisDescriptors) and descriptors.owes:
        sys.stderr.write(
            f"redis is down: it keeps the entries of {descriptors.owes} deleted blobs"
            " until they end\n"
        )
