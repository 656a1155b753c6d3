"""Work on a storage directory in this process, while no daemon does.

Where several processes share the storage nothing tells whether one of them runs; their
own files are left alone.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

import attrs
from twisted.application.service import Service
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import react

from txregistry.admin.requester import user_name
from txregistry.assembly.context import Context, make_context
from txregistry.assembly.ownpaths import (
    beside_the_tree,
    storage_directory,
)
from txregistry.assembly.storage import StorageParts, build_storage
from txregistry.cli.exits import OfflineFailed
from txregistry.cli.trail import TrailBroken, audit_trail, record_refusal
from txregistry.config.model import Config
from txregistry.daemon.lock import DirectoryBusy, DirectoryLock
from txregistry.daemon.storage import Journaling
from txregistry.flow.context import background
from txregistry.flow.deferred import deferred

T = TypeVar("T")

#: Work on the storage of a configuration.
StorageWork = Callable[[Context, StorageParts], Awaitable[T]]


def check_lock(config: Config, unlocked: bool) -> None:
    """Refuse to work where a lock does not tell whether a registry does.

    :param unlocked: go on all the same.
    :raise OfflineFailed: it does not.
    """
    if config.storage.is_exclusive or unlocked:
        return
    what = f"the storage driver {config.storage.driver} keeps no lock"
    if storage_directory(config):
        what = f"others may use {storage_directory(config)}"
    raise OfflineFailed(
        f"{what}: stop each registry that uses the storage, or make it read-only"
        " (storage.maintenance.readonly), and say --unlocked"
    )


def _check_owner(directory: str) -> None:
    """Refuse to leave files of root in a directory that another user's daemon writes.

    :raise OfflineFailed: this is root, and the directory is not root's.
    """
    with suppress(FileNotFoundError):
        owner = os.stat(directory).st_uid if directory else 0
        if owner and os.geteuid() == 0:
            name = user_name(owner)
            raise OfflineFailed(
                f"no daemon answers, and {directory} belongs to {name}, who could not"
                f" write to it afterwards: use runuser -u {name} -- txregistry …"
            )


def work_offline(
    config: Config, work: StorageWork[T], unlocked: bool = False, action: str = ""
) -> T:
    """Do work with the lock of the storage held, on a reactor of its own.

    :param unlocked: also where nothing tells whether a registry uses the storage.
    :param action: what is recorded in the audit trail if it is not begun; empty for
        what would change nothing.
    :raise OfflineFailed: another process has the storage, the audit trail cannot be
        written, or the work failed.
    """
    try:
        lock = _locked(config, unlocked)
    except OfflineFailed as error:
        if action:
            _record_refusal(config, action, str(error))
        raise
    try:
        with audit_trail(config.log):
            return _react(lambda reactor: _run(reactor, config, work))
    except TrailBroken as error:
        raise OfflineFailed(str(error)) from error
    finally:
        lock.stopService()


def _record_refusal(config: Config, action: str, why: str) -> None:
    try:
        record_refusal(config.log, action, why)
    except TrailBroken as error:
        sys.stderr.write(f"{error}\n")  # why it is refused matters more


def _locked(config: Config, unlocked: bool) -> DirectoryLock:
    """Take the lock of the storage.

    :raise OfflineFailed: another process has it, or may have.
    """
    check_lock(config, unlocked)
    place = beside_the_tree(config, "lock")
    _check_owner(os.path.dirname(place))
    lock = DirectoryLock(place, is_shared=not config.storage.is_exclusive)
    try:
        lock.startService()
    except (DirectoryBusy, OSError) as error:
        raise OfflineFailed(
            f"{error}, and its control socket does not answer"
        ) from error
    return lock


def _react(run: Callable[[Any], Awaitable[T]]) -> T:
    done: list[T] = []
    problems: list[BaseException] = []

    @background("offline")
    @deferred
    async def main(reactor: Any) -> None:
        try:
            done.append(await run(reactor))
        except Exception as error:
            # Reported below, when the reactor has ended.
            problems.append(error)

    try:
        react(main)
    except SystemExit as ended:
        if ended.code and not problems:
            raise
    if problems:
        raise OfflineFailed(str(problems[0])) from problems[0]
    return done[0]


async def _run(reactor: Any, config: Config, work: StorageWork[T]) -> T:
    jitter = random.SystemRandom().random
    if not config.storage.is_exclusive:
        # A daemon that is read-only meanwhile uses its own files.
        config = attrs.evolve(
            config, storage=attrs.evolve(config.storage, statedirectory="")
        )
    variables = {**os.environ, "STATE_DIRECTORY": ""}
    context = make_context(config, reactor, variables, jitter)
    storage = build_storage(context)
    for service in storage.foundations:
        service.startService()
    if storage.redis is not None:
        await storage.redis.ready()  # it must forget deleted blobs
    journaling = Journaling(storage.local.driver, reactor)
    try:
        await journaling.startService()
        return await work(context, storage)
    finally:
        if storage.redis is not None:
            _warn_of_redis(storage.descriptors)
        await storage.local.content.integrity.flush()
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


def _warn_of_redis(descriptors: Any) -> None:
    if descriptors.owes:
        sys.stderr.write(
            f"redis is down: it keeps the entries of {descriptors.owes} deleted blobs"
            " until they end\n"
        )
