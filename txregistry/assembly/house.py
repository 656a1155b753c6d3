"""Put the house together: from a configuration to a tree of services.

The only module, with :mod:`txregistry.tap`, that knows every room. It hands the
rooms each other as interfaces.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from txregistry.admin.control import ControlFactory
from txregistry.assembly.notifications import make_notifier
from txregistry.assembly.settings import (
    api_settings,
    channel_limits,
    health_checks,
    make_redis,
    make_secret,
    own_path,
    upstream_name,
)
from txregistry.assembly.upstream import upstream_client
from txregistry.auth.maker import make_controller
from txregistry.config.model import Config
from txregistry.daemon.databases import Index, Ledger
from txregistry.daemon.debug import DebugSite
from txregistry.daemon.endpoints import (
    inherited_sockets,
    main_endpoint,
    remove_stale_socket,
    tcp_endpoint,
)
from txregistry.daemon.lock import DirectoryLock
from txregistry.daemon.memory import MallocTrimmer
from txregistry.daemon.preload import Preload
from txregistry.daemon.registry import Registry
from txregistry.daemon.secret import Secret
from txregistry.daemon.storage import Journaling, StorageService
from txregistry.expiry.ledger_sqlite import SqliteLedger
from txregistry.expiry.plan import ExpiryPlan
from txregistry.expiry.reaper import Reaper
from txregistry.expiry.rebuild import Rebuild
from txregistry.expiry.scheduler import ExpiryScheduler
from txregistry.flow.clocks import WallClock
from txregistry.flow.database import Database
from txregistry.flow.disk import DiskPool
from txregistry.health.checks import Health
from txregistry.interfaces.access import IAccessController
from txregistry.interfaces.blobs import IDescriptorCache
from txregistry.interfaces.driver import IJournaled, IStorageDriver
from txregistry.interfaces.events import IEventSink
from txregistry.interfaces.namespace import INamespace
from txregistry.interfaces.observe import IExchangeObserver
from txregistry.notifications.silent import NullSink
from txregistry.observe.access import AccessLog
from txregistry.observe.debug import Debug
from txregistry.observe.metrics import Metrics, NotificationState, Observers
from txregistry.observe.outlet import ILines
from txregistry.proxy.fills import Fills
from txregistry.proxy.namespace import ProxyNamespace
from txregistry.remote.connections import KeptConnections
from txregistry.remote.namespace import RemoteNamespace
from txregistry.spec.freshness import TagPolicy
from txregistry.spec.proxies import TrustedProxies
from txregistry.storage.caches.descriptors import MemoryDescriptors
from txregistry.storage.caches.local import Caches
from txregistry.storage.caches.metered import MeteredDescriptors
from txregistry.storage.caches.redis import Redis
from txregistry.storage.caches.redis_descriptors import RedisDescriptors
from txregistry.storage.content.integrity import SCHEMA as VERIFIED_SCHEMA
from txregistry.storage.content.inventory import Inventory
from txregistry.storage.content.store import Content, make_content
from txregistry.storage.gc.garbage import Collector
from txregistry.storage.index.reconcile import Reconciler
from txregistry.storage.index.statements import SCHEMA, VERSION
from txregistry.storage.index.tree_index import TreeIndex
from txregistry.storage.namespace import LocalNamespace
from txregistry.storage.tree import layout
from txregistry.storage.uploads.hashing import HashStates
from txregistry.storage.uploads.partials import PartialBlobs
from txregistry.storage.uploads.pending_uploads import HELD_SECONDS, PendingUploads
from txregistry.storage.uploads.purge import UploadPurger, UploadPurging
from txregistry.storagedriver.maker import make_driver
from txregistry.web.api import Api
from txregistry.web.http.site import RegistrySite

#: Bytes of the path of a Unix socket that the kernel takes.
_MAX_SOCKET_PATH = 107

#: The first purge of uploads is at some time before this, in seconds from the start.
_FIRST_PURGE_SECONDS = 3600.0

_log = Logger(namespace="txregistry.assembly.house")

#: Threads that check passwords, apart from the others: they are slow by design.
AUTH_THREADS = 2

#: Threads for blob data; each small database has one of its own.
DISK_THREADS = 16


@attrs.define(eq=False)
class House:
    """Everything that is built from one configuration.

    :param reactor: real in life; tests give one that keeps its own time.
    :param jitter: gives random numbers from 0 to 1.
    :param access_log: where the access log goes.
    :param give_up: ends the process when it cannot start.
    :param wall: gives the time of day, in seconds since the epoch; as the reactor does
        if not given. See :mod:`txregistry.flow.clocks`.
    """

    config: Config
    reactor: Any
    environment: Mapping[str, str]
    jitter: Callable[[], float]
    access_log: ILines
    give_up: Callable[[], None]
    wall: Callable[[], float] | None = None
    clock: IReactorTime = attrs.field(init=False)
    disk: DiskPool = attrs.field(init=False)
    events_disk: DiskPool = attrs.field(init=False)
    pools: list[DiskPool] = attrs.field(factory=list)
    auth_disk: DiskPool = attrs.field(init=False)
    driver: IStorageDriver = attrs.field(init=False)
    redis: Redis | None = attrs.field(init=False)
    descriptors: IDescriptorCache = attrs.field(init=False)
    ledger: SqliteLedger = attrs.field(init=False)
    metrics: Metrics = attrs.field(init=False)
    content: Content = attrs.field(init=False)
    index: Database = attrs.field(init=False)
    secret: Secret = attrs.field(init=False)
    beginnings: PendingUploads = attrs.field(init=False)
    reconciler: Reconciler = attrs.field(init=False)
    local: LocalNamespace = attrs.field(init=False)
    partials: PartialBlobs = attrs.field(init=False)
    controller: IAccessController = attrs.field(init=False)
    health: Health = attrs.field(init=False)
    collector: Collector = attrs.field(init=False)
    notification_state: NotificationState = attrs.field(default=list)

    def __attrs_post_init__(self) -> None:
        config = self.config
        threads = int(str(config.storage.parameters.get("maxthreads") or DISK_THREADS))
        self.clock = WallClock(self.reactor, self.wall or self.reactor.seconds)
        self.disk = self._pool(threads, "disk")
        self.auth_disk = self._pool(AUTH_THREADS, "auth")
        self.events_disk = self._pool(1, "events")
        self.driver = make_driver(
            config.storage.driver, config.storage.parameters, self.disk, self.clock
        )
        self.ledger = SqliteLedger(
            own_path(config, "ledger.sqlite3"), self._pool(1, "ledger")
        )
        self.metrics = Metrics(upstream_name(config.proxy))
        self.redis = make_redis(config, self.reactor)
        self.secret = make_secret(config)
        self._build_storage()
        auth = config.auth
        self.controller = make_controller(
            auth.controller, auth.parameters, self.auth_disk, self.clock
        )

    def _pool(self, threads: int, name: str) -> DiskPool:
        """Make threads for one kind of work: what one file does keeps no other."""
        pool = DiskPool.create(self.reactor, threads, name)
        self.pools.append(pool)
        return pool

    def _build_storage(self) -> None:
        self.descriptors = self._make_descriptors()
        caches = Caches(self._metered(self.descriptors))
        index = own_path(self.config, "index.sqlite3")
        schema = SCHEMA + VERIFIED_SCHEMA
        self.index = Database(index, self._pool(1, "index"), schema, VERSION)
        self.content = make_content(
            self.driver, caches, self.ledger, self.index, self.metrics, self.clock
        )
        self.reconciler = Reconciler(self.driver, TreeIndex(self.index), self.reactor)
        # A driver that keeps a journal has its directory to itself.
        is_alone = IJournaled.providedBy(self.driver)
        self.beginnings = PendingUploads(
            self.driver, self.clock, HELD_SECONDS if is_alone else 0.0
        )
        self.local = LocalNamespace(
            self.driver,
            self.content,
            caches,
            self.reconciler,
            HashStates(self.driver, self._resumes_digests()),
            self.beginnings,
            self.clock,
            not self.config.compatibility.schema1.disablesignaturestore,
        )
        self.collector = Collector(self.driver, self.content, self.local, self.clock)
        self.partials = PartialBlobs(self.driver, self.content, self.clock)

    def _make_descriptors(self) -> IDescriptorCache:
        cached = self.config.storage.cache
        if self.redis is not None:
            return RedisDescriptors(self.redis, self.reactor)
        # A cache of no entries is one that remembers nothing.
        return MemoryDescriptors(
            cached.blobdescriptorsize if cached.blobdescriptor else 1
        )

    def _metered(self, descriptors: IDescriptorCache) -> IDescriptorCache:
        if not self.config.storage.cache.blobdescriptor:
            return descriptors  # whoever has no cache has nothing to count
        return MeteredDescriptors(descriptors, self.metrics)

    @property
    def foundations(self) -> Sequence[Service]:
        """What storage stands on, in the order in which it starts."""
        return self.pools if self.redis is None else (*self.pools, self.redis)

    @property
    def journaling(self) -> Journaling:
        """Keeps the journal of whoever holds the lock on the storage."""
        return Journaling(self.driver, self.reactor)

    def _resumes_digests(self) -> bool:
        enabled = self.config.storage.resumabledigest.enabled
        return enabled and not self.config.proxy.remoteurl

    def service(self) -> Registry:
        """Build the tree of services, in the order in which they start."""
        registry = Registry(self.config.http.draintimeout, self.give_up)
        lock = DirectoryLock(own_path(self.config, "lock", ""))
        for child in (
            *self.foundations,
            StorageService(self.driver),
            lock,
            self.journaling,
        ):
            registry.add(child)
        registry.add(self.secret)
        registry.add(self.beginnings)
        registry.add(MallocTrimmer(self.disk, self.reactor))
        self._add_purging(registry)
        rebuild = self._rebuild()
        registry.add(Index(self.index, self.reconciler, self.content.integrity))
        registry.add(Ledger(self.ledger, rebuild))
        namespace: INamespace = self.local
        if self.config.proxy.remoteurl:
            namespace = self._add_proxy(registry)
            registry.add(self._scheduler(rebuild))
        self._add_listeners(registry, namespace)
        return registry

    def _add_proxy(self, registry: Registry) -> INamespace:
        proxy = self.config.proxy
        pool = KeptConnections(self.reactor, proxy.maxconnections)
        client = upstream_client(
            proxy, self.reactor, pool, self.jitter, self.environment, self.metrics
        )
        fills = Fills(
            self.partials,
            self.reactor,
            self.jitter,
            self.metrics,
            proxy.stalltimeout,
            proxy.maxfills,
        )
        uses_credentials = bool(proxy.username or proxy.exec.command)
        registry.add(Preload(client, pool, uses_credentials))
        registry.add(fills)
        return ProxyNamespace(
            self.local,
            RemoteNamespace(client),
            self.content,
            fills,
            TagPolicy(proxy.tagttl, proxy.maxstale),
            self.ledger,
            self.ledger,
            self.metrics,
            self.clock,
            self.clock.seconds(),
            proxy.recheck,
        )

    def _rebuild(self) -> Rebuild:
        return Rebuild(
            self.driver,
            layout.SCHEDULER_STATE,
            self.ledger,
            Inventory(self.driver, self.content),
            self.content,
            self.partials,
            self._plan,
            self.clock,
        )

    @property
    def _plan(self) -> ExpiryPlan:
        return ExpiryPlan(self.config.proxy.ttl)

    def _scheduler(self, rebuild: Rebuild) -> ExpiryScheduler:
        leases = self.content.leases
        reaper = Reaper(self.local, self.content, leases, self.ledger, self.metrics)
        return ExpiryScheduler(self.clock, self._plan, self.ledger, reaper, rebuild)

    def _add_listeners(self, registry: Registry, namespace: INamespace) -> None:
        http = self.config.http
        self._add_health(registry)
        events = self._add_notifications(registry)
        observers: tuple[IExchangeObserver, ...] = (self.metrics,)
        if not self.config.log.accesslog.disabled:
            observers += (AccessLog(self.access_log, self.clock),)
        api = Api(
            namespace,
            api_settings(self.config, self.secret.value),
            self.controller,
            events,
            self.health,
        )
        site = RegistrySite(
            api.resource(),
            self.reactor,
            Observers(observers),
            http.prefix,
            http.headers,
            channel_limits(self.config),
            bool(http.tls.certificate) and not http.http2.disabled,
            http.h2c.enabled,
            self.clock,
            TrustedProxies.parse(http.trustedproxies),
        )
        if http.debug.addr:
            registry.serve(
                self._debug_site(), tcp_endpoint(self.reactor, http.debug.addr)
            )
        self._add_control(registry)
        inherited = inherited_sockets(self.reactor)
        protocols = site.acceptableProtocols()
        endpoint = main_endpoint(self.reactor, http, protocols, inherited)
        registry.serve(site, endpoint)

    def _add_purging(self, registry: Registry) -> None:
        purging = self.config.storage.maintenance.uploadpurging
        if purging.enabled:
            purger = UploadPurger(self.driver, self.clock)
            registry.add(
                UploadPurging(
                    purger,
                    self.reactor,
                    self.jitter() * _FIRST_PURGE_SECONDS,
                    purging.interval,
                    purging.age,
                    purging.dryrun,
                )
            )

    def _add_control(self, registry: Registry) -> None:
        path = own_path(self.config, "control.sock", "")
        if not path or self.config.proxy.remoteurl:
            return
        if len(os.fsencode(path)) > _MAX_SOCKET_PATH:
            _log.warn("no control socket: {path} is too long for one", path=path)
            return
        remove_stale_socket(path)
        endpoint = UNIXServerEndpoint(self.reactor, path, mode=0o600, wantPID=False)
        registry.serve(ControlFactory(self.collector), endpoint)

    def _add_health(self, registry: Registry) -> None:
        checks = health_checks(self.config.health, self.driver, self.reactor)
        self.health = Health(tuple(checks), self.reactor)
        registry.add(self.health)

    def _add_notifications(self, registry: Registry) -> IEventSink:
        notifier = make_notifier(
            self.config, self.events_disk, self.reactor, self.clock
        )
        if notifier is None:
            return NullSink()
        self.metrics.watch_notifications(notifier.state)
        self.notification_state = notifier.state
        registry.add(notifier)
        return notifier

    def _debug_site(self) -> DebugSite:
        debug = self.config.http.debug
        enabled = debug.prometheus.enabled
        resource = Debug(
            {"storage": self._check_storage},
            self.health,
            self._variables,
            self.metrics.exposition,
            debug.prometheus.path if enabled else "",
        ).resource()
        return DebugSite(resource)

    def _variables(self) -> dict[str, object]:
        state = self.notification_state
        return {"registry": {"notifications": {"endpoints": state()}}}

    def _check_storage(self) -> Deferred[None]:
        return self.driver.stat("/").addCallback(lambda _: None)
