"""The storage: a driver, its caches, and the local registry over it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs
from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from txregistry.assembly.context import Context
from txregistry.assembly.middleware import Chains, build_middleware
from txregistry.assembly.ownpaths import own_path
from txregistry.assembly.spool import make_spool
from txregistry.assembly.upstreams import upstream_table
from txregistry.daemon.storage import StorageNetwork
from txregistry.expiry.ledger_sqlite import SqliteLedger
from txregistry.flow.changes import ChangeTimes
from txregistry.flow.database import Database
from txregistry.flow.disk import Disk, DiskPool
from txregistry.interfaces.blobs import IDescriptorCache
from txregistry.interfaces.driver import IConnected, IJournaled, IStorageDriver
from txregistry.interfaces.expiry import ILedger
from txregistry.observe.metrics import Metrics
from txregistry.spec.reference import RepositoryName
from txregistry.storage.caches.descriptors import MemoryDescriptors
from txregistry.storage.caches.local import Caches
from txregistry.storage.caches.metered import MeteredDescriptors
from txregistry.storage.content.integrity import SCHEMA as VERIFIED_SCHEMA
from txregistry.storage.content.local_links import LocalLinks, nobody
from txregistry.storage.content.store import Content, make_content
from txregistry.storage.gc.garbage import Collector
from txregistry.storage.index.reconcile import Reconciler
from txregistry.storage.index.statements import SCHEMA, VERSION
from txregistry.storage.index.tree_index import TreeIndex
from txregistry.storage.namespace import LocalNamespace
from txregistry.storage.scrub.memory import SCHEMA as SCRUB_SCHEMA
from txregistry.storage.tree.changes import ChangesDriver
from txregistry.storage.uploads.arrivals import Arrivals, SpooledArrivals
from txregistry.storage.uploads.hashing import HashStates
from txregistry.storage.uploads.partials import PartialBlobs
from txregistry.storage.uploads.pending_uploads import HELD_SECONDS, PendingUploads
from txregistry.storagedriver.maker import make_driver
from txregistry.tracing.traced import trace_driver

if TYPE_CHECKING:
    from txregistry.flow.redis.client import Redis

_log = Logger(namespace="txregistry.assembly.storage")

#: Threads for blob data; each small database has its own.
DISK_THREADS = 16


@attrs.frozen
class Databases:
    """The small databases beside the tree."""

    index: Database
    ledger: ILedger


def open_databases(index: str, disk: Disk, ledger: ILedger) -> Databases:
    """Make the databases; a file is opened at the first query.

    :param index: the path of the file, or ``:memory:``.
    :param disk: has one thread: SQLite runs one query at a time.
    """
    schema = SCHEMA + VERIFIED_SCHEMA + SCRUB_SCHEMA
    return Databases(Database(index, disk, schema, VERSION), ledger)


@attrs.frozen
class StorageOptions:
    """Settings of the local registry.

    :ivar held_seconds: for which a new upload exists in memory only; other processes
        that share the storage see it at once all the same.
    :ivar resumes_digests: the state of a digest is written beside an upload.
    :ivar stores_signatures: of schema 1, apart from the manifest.
    :ivar is_local: tells which repositories of a cache no upstream has; ``None`` if
        there are none, or if this is a registry.
    """

    held_seconds: float = HELD_SECONDS
    resumes_digests: bool = True
    stores_signatures: bool = True
    is_local: Callable[[RepositoryName], bool] | None = None


@attrs.frozen
class LocalRegistry:
    """The local registry and its foundations.

    :ivar is_local: tells which repositories of a cache are local; ``None`` if there are
        none, or if this is a registry.
    :ivar changes: notes what changes about repositories.
    """

    driver: IStorageDriver
    databases: Databases
    content: Content
    reconciler: Reconciler
    pending_uploads: PendingUploads
    namespace: LocalNamespace
    partials: PartialBlobs
    collector: Collector
    is_local: Callable[[RepositoryName], bool] | None
    changes: ChangeTimes


def assemble_storage(
    driver: IStorageDriver,
    descriptors: IDescriptorCache,
    databases: Databases,
    metrics: Metrics,
    clock: IReactorTime,
    turns: IReactorTime,
    options: StorageOptions,
    spool: IStorageDriver | None = None,
) -> LocalRegistry:
    """Put the local registry together over a driver.

    :param clock: shows the time of day.
    :param turns: measures durations, and yields to other work.
    :param spool: local files for partial blobs, if they cannot lie in the storage.
    """
    changes, caches = ChangeTimes(), Caches(descriptors)
    noting: Any = ChangesDriver(driver, changes)
    driver = noting
    content = make_content(
        driver,
        caches,
        databases.ledger,
        LocalLinks(databases.ledger, options.is_local or nobody),
        databases.index,
        metrics,
        clock,
    )
    reconciler = Reconciler(driver, TreeIndex(databases.index), turns)
    held_seconds = 0.0 if driver.is_shared else options.held_seconds
    pending = PendingUploads(driver, clock, held_seconds)
    namespace = LocalNamespace(
        driver,
        content,
        caches,
        reconciler,
        HashStates(driver, options.resumes_digests),
        pending,
        clock,
        options.stores_signatures,
    )
    arrivals = Arrivals(driver)
    if spool is not None:
        arrivals = SpooledArrivals(spool, driver, content)
    return LocalRegistry(
        driver,
        databases,
        content,
        reconciler,
        pending,
        namespace,
        PartialBlobs(arrivals, content, clock),
        Collector(driver, content, namespace, clock, options.is_local),
        options.is_local,
        changes,
    )


@attrs.frozen
class StorageParts:
    """The local registry of a configuration, and its services.

    :ivar disk: reads and writes the data of blobs.
    :ivar descriptors: the cache of descriptors itself, not its metered wrapper.
    :ivar foundations: services that it needs, in the order of their start.
    :ivar middleware: around the driver, and for the namespace.
    """

    disk: DiskPool
    redis: Redis | None
    descriptors: IDescriptorCache
    foundations: tuple[Service, ...]
    local: LocalRegistry
    middleware: Chains


def build_storage(context: Context) -> StorageParts:
    """Build the storage of a configuration; touches no file yet.

    :raise OSError: a file that the configuration names cannot be read.
    :raise ValueError: the configuration cannot be used.
    """
    config = context.config
    disk = DiskPool.create(context.reactor, _threads(context), "disk")
    small = [DiskPool.create(context.reactor, 1, name) for name in ("index", "ledger")]
    redis = _redis(context)
    driver = make_driver(
        config.storage.driver, config.storage.parameters, disk, context.clock
    )
    descriptors = _descriptors(context, redis, driver.is_shared)
    network = []
    if IConnected.providedBy(driver):
        network.append(StorageNetwork(IConnected(driver)))
        IConnected(driver).connect(context.reactor)
    middleware = build_middleware(context, disk)
    driver = middleware.around_driver(driver)
    if context.tracer is not None:
        driver = trace_driver(driver, context.tracer)
    spool = make_spool(context, driver, disk)
    index = own_path(config, "index.sqlite3", environment=context.environment)
    local = assemble_storage(
        driver,
        _metered(context, descriptors),
        open_databases(
            index, small[0], _ledger(context, driver.is_shared, redis, small[1])
        ),
        context.metrics,
        context.clock,
        context.reactor,
        _options(context, driver),
        spool.files,
    )
    asked = () if redis is None else (redis,)
    foundations = disk, *small, *network, *spool.services, *asked
    return StorageParts(disk, redis, descriptors, foundations, local, middleware)


def _threads(context: Context) -> int:
    given = context.config.storage.parameters.get("maxthreads")
    return int(str(given or DISK_THREADS))


def _redis(context: Context) -> Redis | None:
    """Make the client of redis, which is imported only where descriptors are there."""
    if context.config.storage.cache.blobdescriptor != "redis":
        return None
    from txregistry.assembly.redis import make_redis

    return make_redis(context.config, context.reactor)


def _ledger(
    context: Context, is_shared: bool, redis: Redis | None, disk: Disk
) -> ILedger:
    """Make the ledger: in redis where others use the storage, who record there too."""
    if redis is not None and is_shared:
        from txregistry.expiry.ledger_redis import RedisLedger

        return RedisLedger(redis, context.reactor)
    path = own_path(context.config, "ledger.sqlite3", environment=context.environment)
    return SqliteLedger(path, disk)


def _descriptors(
    context: Context, redis: Redis | None, is_shared: bool
) -> IDescriptorCache:
    cached = context.config.storage.cache
    if redis is not None:
        from txregistry.storage.caches.redis_descriptors import RedisDescriptors

        return RedisDescriptors(redis, context.reactor)
    is_used = bool(cached.blobdescriptor)
    if is_used and is_shared:
        is_used = False
        _log.warn(
            "storage.cache.blobdescriptor: inmemory is not used, as others change this"
            " storage; redis is, or nothing"
        )
    # A limit of 0 would be none.
    return MemoryDescriptors(cached.blobdescriptorsize if is_used else 1)


def _metered(context: Context, descriptors: IDescriptorCache) -> IDescriptorCache:
    if not context.config.storage.cache.blobdescriptor:
        return descriptors  # without a cache there is nothing to count
    return MeteredDescriptors(descriptors, context.metrics)


def _options(context: Context, driver: IStorageDriver) -> StorageOptions:
    config = context.config
    return StorageOptions(
        # A driver with a journal has its directory to itself.
        HELD_SECONDS if IJournaled.providedBy(driver) else 0.0,
        config.storage.resumabledigest.enabled and config.proxy.has_own,
        not config.compatibility.schema1.disablesignaturestore,
        upstream_table(config.proxy).is_local if config.proxy.local else None,
    )
