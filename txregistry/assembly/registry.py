"""The whole daemon, and the order of its start."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from twisted.application.service import IService

from txregistry.assembly.access import AccessParts, build_access
from txregistry.assembly.audit import AuditedPurger
from txregistry.assembly.context import Context
from txregistry.assembly.eviction import assemble_pins, build_room
from txregistry.assembly.expiry import (
    Expiry,
    assemble_expiry,
    expiry_plan,
    tell_of_ttl,
)
from txregistry.assembly.health import build_health
from txregistry.assembly.listeners import Backend, build_listeners
from txregistry.assembly.notifications import build_notifications
from txregistry.assembly.ownpaths import beside_the_tree, own_path
from txregistry.assembly.reload import Renewable, Running
from txregistry.assembly.scrub import build_scrub
from txregistry.assembly.settings import make_secret, purge_plan
from txregistry.assembly.storage import LocalRegistry, StorageParts, build_storage
from txregistry.assembly.transfers import build_transfers
from txregistry.assembly.upstreams import upstream_table
from txregistry.config.model import Log
from txregistry.daemon.databases import Index, Ledger
from txregistry.daemon.lock import DirectoryLock
from txregistry.daemon.memory import MallocTrimmer
from txregistry.daemon.registry import Registry
from txregistry.daemon.reload import Reloader, no_log_files
from txregistry.daemon.storage import Journaling, StorageService
from txregistry.daemon.supervision import Supervision
from txregistry.daemon.systemd import Manager
from txregistry.eviction.room import Room
from txregistry.flow.disk import DiskPool
from txregistry.interfaces.answers import IAnswers
from txregistry.interfaces.images import IImages
from txregistry.interfaces.overview import IOverlook
from txregistry.interfaces.reload import IReloader
from txregistry.observe.answers import LastAnswers
from txregistry.observe.outlet import ILines
from txregistry.storage.uploads.purge import UploadPurging

if TYPE_CHECKING:
    from txregistry.assembly.caches import Cache
    from txregistry.assembly.console import Console
    from txregistry.images.schedule import WarmSchedule

#: The first purge of uploads is at a random time within these seconds after the start.
_FIRST_PURGE_SECONDS = 3600.0


def _keep_log(_: Log) -> None:
    """Keep the log settings."""


def build_registry(
    context: Context,
    access_log: ILines,
    give_up: Callable[[], None],
    set_log: Callable[[Log], None] = _keep_log,
    path: str | None = None,
    reopen_logs: Callable[[], None] = no_log_files,
) -> tuple[Registry, IReloader]:
    """Build the daemon of a configuration; nothing starts yet.

    :param access_log: observer of the access log.
    :param give_up: called when it cannot start; ends the process.
    :param set_log: applies a changed ``log`` section.
    :param path: the configuration file that a reload reads.
    :param reopen_logs: opens files of logs again, at each reload.
    :return: the daemon, and what reloads its configuration.
    :raise OSError: a file that the configuration names cannot be read.
    :raise ValueError: the configuration cannot be used.
    """
    config = context.config
    storage, access = build_storage(context), build_access(context)
    local = storage.local
    secret = make_secret(config, local.driver.is_shared)
    plan, table = expiry_plan(config.proxy, local), upstream_table(config.proxy)
    pins = assemble_pins(local, table, config.cache.pin, context.clock)
    expiry = assemble_expiry(
        local, plan, context.metrics, context.clock, context.reactor, pins.pinned
    )
    room, cache = None, None
    if config.proxy.is_cache:
        tell_of_ttl(config.proxy, local)
        room = build_room(context, local, expiry.scheduler, pins.pinned)
        cache = _cache(context, storage, room)
    healer = None if cache is None else cache.healer()
    scrub = build_scrub(context, local, healer)
    health = build_health(context, local.driver)
    notifications = build_notifications(context)
    answers = LastAnswers(context.clock)
    backend = Backend(
        storage.middleware.around_namespace(
            local.namespace if cache is None else cache.namespace
        ),
        local,
        access.controller,
        notifications.sink,
        health,
        secret.value,
        access_log,
        notifications.deliveries,
        scrub,
        room,
        pins.listed,
        build_transfers(config, local, cache, room, context.clock),
        images=_images(context, storage, cache, expiry, answers),
        # A registry tells every client what is stored: there is nothing to explain.
        answers=None if cache is None else answers,
        offline=None if cache is None else cache.shared.offline,
        overlook=_overlook(context, cache),
    )
    warming = _warming(context, backend.images, reading := _reading_disk(context))
    manager = Manager.of(context.environment, os.getpid())
    supervision = Supervision(manager, context.reactor)
    registry = Registry(config.http.draintimeout, give_up, supervision)
    purging = _purging(context, local)
    parts = Renewable(
        registry,
        backend,
        cache,
        expiry,
        health,
        purging,
        scrub,
        notifications.notifier,
        access.disk,
        set_log,
        storage.middleware.around_namespace,
        room,
        pins.pinned,
        warming,
    )
    running = Running(context, parts)
    reloader = Reloader(
        lambda: running.read(reading, path, context.environment),
        running.take,
        lambda: registry.why_busy,
        manager,
        context.audit,
        reopen_logs,
    )
    for part in (
        reading,
        *_foundations(context, storage, access),
        secret,
        *_upkeep(context, storage, purging),
        Ledger(local.databases.ledger, expiry.rebuild),
        *(() if room is None else (room,)),
        *(() if cache is None else (cache.services, expiry.scheduler)),
        *(() if warming is None else (warming,)),
        scrub,
        health,
        *notifications.services,
        *storage.middleware.services,
    ):
        registry.add(part)
    console = running.console = _console(context, backend, reloader, cache)
    if console is not None:
        for service in console.services:
            registry.add(service)
        registry.serve(console.site, console.endpoint, can_be_spared=True)
    for site, endpoint in build_listeners(context, backend, reloader):
        registry.serve(site, endpoint)
    return registry, reloader


def _cache(context: Context, storage: StorageParts, room: Room) -> Cache:
    """Build the cache of a configuration.

    A registry, which has no upstream, does not import the client of one.
    """
    from txregistry.assembly.caches import build_cache

    return build_cache(context, storage.local, storage.redis, room)


def _images(
    context: Context,
    storage: StorageParts,
    cache: Cache | None,
    expiry: Expiry,
    answers: IAnswers,
) -> IImages | None:
    if cache is None:
        return None
    from txregistry.assembly.images import build_images

    return build_images(context, storage.local, cache, expiry, answers)


def _overlook(context: Context, cache: Cache | None) -> IOverlook | None:
    if cache is None:
        return None
    from txregistry.assembly.images import build_overlook

    return build_overlook(context, cache)


def _console(
    context: Context, backend: Backend, reloader: IReloader, cache: Cache | None
) -> Console | None:
    """Build the admin listener, whose pages nobody else imports."""
    if not context.config.http.admin.addr:
        return None
    from txregistry.assembly.console import build_console

    return build_console(context, backend, reloader, cache)


def _warming(
    context: Context, images: IImages | None, disk: DiskPool
) -> WarmSchedule | None:
    if images is None:
        return None
    from txregistry.assembly.images import build_warming

    return build_warming(context, images, disk)


def _purging(context: Context, local: LocalRegistry) -> UploadPurging:
    delay = context.jitter() * _FIRST_PURGE_SECONDS
    return UploadPurging(
        AuditedPurger(local.driver, context.clock, context.audit),
        context.reactor,
        purge_plan(context.config, delay),
    )


def _reading_disk(context: Context) -> DiskPool:
    """Make the thread in which a reload reads the configuration."""
    return DiskPool.create(context.reactor, 1, "reload")


def _foundations(
    context: Context, storage: StorageParts, access: AccessParts
) -> Iterator[IService]:
    """Give the services that start before anything is read or written."""
    yield from storage.foundations
    yield access.disk
    yield StorageService(storage.local.driver)
    yield from _locks(context)
    yield Journaling(storage.local.driver, context.reactor)


def _locks(context: Context) -> Iterator[IService]:
    """Give the locks of the storage directory, and of that of this process."""
    config = context.config
    exclusive = config.storage.is_exclusive
    yield DirectoryLock(beside_the_tree(config, "lock"), is_shared=not exclusive)
    if not exclusive or config.storage.statedirectory:
        path = own_path(config, "state.lock", "", context.environment)
        yield DirectoryLock(path)


def _upkeep(
    context: Context, storage: StorageParts, purging: UploadPurging
) -> Iterator[IService]:
    """Give the services that maintain the storage."""
    local = storage.local
    yield local.pending_uploads
    yield MallocTrimmer(storage.disk, context.reactor)
    yield purging
    yield Index(local.databases.index, local.reconciler, local.content.integrity)
