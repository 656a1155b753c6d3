"""A whole cache on a clock: fake upstream, wires, storage in memory, our own web."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock
from twisted.web.iweb import IAgent
from twisted.web.server import Site
from zope.interface import implementer

from txregistry import USER_AGENT
from txregistry.assembly.cache import assemble_cache
from txregistry.assembly.eviction import assemble_pins, assemble_room
from txregistry.assembly.expiry import assemble_expiry, expiry_plan
from txregistry.assembly.storage import (
    LocalRegistry,
    StorageOptions,
    assemble_storage,
    open_databases,
)
from txregistry.auth.open import OpenAccess
from txregistry.config.fields import Duration
from txregistry.config.proxy import Proxy
from txregistry.eviction.pinlist import PinList
from txregistry.eviction.pinned import PinnedImages
from txregistry.eviction.plan import SpacePlan
from txregistry.eviction.room import Room
from txregistry.expiry.ledger_sqlite import SqliteLedger
from txregistry.expiry.rebuild import Rebuild
from txregistry.expiry.scheduler import ExpiryScheduler
from txregistry.flow.disk import InlineDisk
from txregistry.flow.shared_rate import SharedRate
from txregistry.health.checks import Health
from txregistry.interfaces.access import IAccessController
from txregistry.interfaces.audit import IAudit
from txregistry.interfaces.blobs import IDescriptorCache
from txregistry.interfaces.driver import IStorageDriver
from txregistry.interfaces.events import IEventSink
from txregistry.interfaces.expiry import ILedger
from txregistry.interfaces.fills import IDownloadClaims
from txregistry.interfaces.namespace import INamespace
from txregistry.interfaces.observe import Exchange, IExchangeObserver
from txregistry.interfaces.tracing import ITracer
from txregistry.notifications.silent import NullSink
from txregistry.observe.audit import SilentAudit
from txregistry.observe.metrics import Metrics
from txregistry.proxy.behind import Behind
from txregistry.proxy.claims import OneNode
from txregistry.proxy.download import DownloadContext
from txregistry.proxy.fills import Fills
from txregistry.remote.client import Limits, UpstreamClient, make_agents
from txregistry.remote.credentials import (
    Credentials,
    ICredentialStore,
    StaticCredentials,
)
from txregistry.remote.namespace import RemoteNamespace
from txregistry.remote.offline import OfflineAgent, OfflineSwitch
from txregistry.remote.ratelimit import RateLimit
from txregistry.spec.freshness import TagPolicy
from txregistry.spec.gate import Gate
from txregistry.spec.proxies import TrustedProxies
from txregistry.spec.reference import RepositoryName
from txregistry.spec.upstreams import DEFAULT, UpstreamNames, UpstreamTable
from txregistry.storage.caches.descriptors import MemoryDescriptors
from txregistry.storage.caches.metered import MeteredDescriptors
from txregistry.storage.content.store import Content
from txregistry.storage.index.reconcile import Reconciler
from txregistry.storage.namespace import LocalNamespace
from txregistry.storage.uploads.partials import PartialBlobs
from txregistry.storage.uploads.pending_uploads import PendingUploads
from txregistry.storagedriver.inmemory import MemoryDriver
from txregistry.testing.conversations import Conversations
from txregistry.testing.routes import resource_of
from txregistry.testing.upstream import FakeUpstream
from txregistry.testing.wire import Wire
from txregistry.tracing.traced import TracedAgent, trace_driver
from txregistry.web.api import Api, ApiSettings
from txregistry.web.http.serving import make_serving
from txregistry.web.http.site import RegistrySite
from txregistry.web.urls import Urls

UPSTREAM = "http://upstream.example"

#: The upstream as the default one.
ONE_UPSTREAM = UpstreamTable(UpstreamNames(DEFAULT, ("upstream.example",)))


@implementer(IExchangeObserver)
@attrs.define(eq=False)
class Recorder:
    """Remembers every exchange."""

    exchanges: list[Exchange] = attrs.field(factory=list)

    def ended(self, exchange: Exchange) -> None:
        """Remember one."""
        self.exchanges.append(exchange)


@attrs.define(eq=False, kw_only=True)
class TestHouse(Conversations):
    """Everything real but the sockets and the time.

    The clock begins long after the epoch, so that nothing passes for fresh by chance.
    """

    __test__ = False

    policy: TagPolicy = TagPolicy(60.0)
    ttl: float = 3600.0
    recheck: float = 0.0
    limits: Limits = Limits()
    credentials: Credentials | None = None
    store: ICredentialStore | None = None
    upstream_url: str = UPSTREAM
    trusted_realms: tuple[str, ...] = ()
    prefix: str = ""
    clock: Clock = attrs.field(factory=Clock)
    driver: IStorageDriver | None = None
    spool: IStorageDriver | None = None
    descriptors: IDescriptorCache | None = None
    given_ledger: ILedger | None = None
    claims: IDownloadClaims = attrs.field(factory=OneNode)
    controller: IAccessController = attrs.field(factory=OpenAccess)
    events: IEventSink = attrs.field(factory=NullSink)
    tracer: ITracer | None = None
    audit: IAudit = attrs.field(factory=SilentAudit)
    upstream: FakeUpstream = attrs.field(init=False)
    upstream_wire: Wire = attrs.field(init=False)
    wire: Wire = attrs.field(init=False)
    client: UpstreamClient = attrs.field(init=False)
    rate_limit: RateLimit = attrs.field(init=False)
    local: LocalNamespace = attrs.field(init=False)
    stored: LocalRegistry = attrs.field(init=False)
    pending_uploads: PendingUploads = attrs.field(init=False)
    reconciler: Reconciler = attrs.field(init=False)
    remote: RemoteNamespace = attrs.field(init=False)
    proxy: INamespace = attrs.field(init=False)
    content: Content = attrs.field(init=False)
    ledger: ILedger = attrs.field(init=False)
    fills: Fills = attrs.field(init=False)
    behind: Behind = attrs.field(factory=Behind)
    offline: OfflineSwitch = attrs.field(factory=OfflineSwitch)
    partials: PartialBlobs = attrs.field(init=False)
    scheduler: ExpiryScheduler = attrs.field(init=False)
    rebuild: Rebuild = attrs.field(init=False)
    metrics: Metrics = attrs.field(init=False)
    site: RegistrySite = attrs.field(init=False)
    registry: RegistrySite = attrs.field(init=False)
    registry_wire: Wire = attrs.field(init=False)
    recorder: Recorder = attrs.field(factory=Recorder)
    table: UpstreamTable = ONE_UPSTREAM
    further_wires: list[Wire] = attrs.field(factory=list)
    space: SpacePlan = SpacePlan()
    pins: tuple[str, ...] = ()
    pinned: PinnedImages = attrs.field(init=False)
    pin_list: PinList = attrs.field(init=False)
    room: Room = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        if not self.clock.seconds():
            self.clock.advance(1_700_000_000)
        self.metrics = Metrics("upstream.example")
        self._build_upstream()
        self._build_storage()
        self._build_expiry()
        self._build_proxy()
        self.site = RegistrySite(
            make_serving(
                resource_of(self.api(self.proxy, Gate(), upstreams=self.table)),
                self.recorder,
                self.prefix,
                changes=self.stored.changes,
            ),
            self.clock,
        )
        self.site.tracer = self.tracer
        self.wire = Wire(self.site, self.clock)
        self.serve_registry()

    def serve_registry(
        self,
        gate: Gate | None = None,
        proxies: TrustedProxies | None = None,
        **changes: Any,
    ) -> None:
        """Serve the local namespace as a complete registry; see :meth:`send`.

        :param gate: what may be changed; everything if not given.
        :param proxies: who is believed that says for whom it asks.
        :param changes: of the settings of the API.
        """
        api = self.api(self.local, gate or Gate(deletes=True), **changes)
        self.registry = RegistrySite(
            make_serving(
                resource_of(api),
                self.recorder,
                proxies=proxies,
                changes=self.stored.changes,
            ),
            self.clock,
        )
        self.registry.tracer = self.tracer
        self.registry_wire = Wire(self.registry, self.clock)

    def api(self, namespace: INamespace, gate: Gate, **changes: Any) -> Api:
        """Put the web room in front of a namespace.

        :param changes: of the settings of the API.
        """
        urls = Urls(prefix=self.prefix.rstrip("/"))
        settings = ApiSettings(lambda: b"secret", urls, gate)
        return Api(
            namespace,
            attrs.evolve(settings, **changes),
            self.controller,
            self.events,
            Health((), self.clock),
            self.audit,
            changes=self.stored.changes,
        )

    def _build_upstream(self) -> None:
        self.upstream = FakeUpstream(self.clock)
        site = Site(self.upstream, reactor=self.clock)
        self.upstream_wire = Wire(site, self.clock)
        core: IAgent = OfflineAgent(self.upstream_wire, self.offline)
        if self.tracer is not None:
            core = TracedAgent(core, self.tracer)
        self.rate_limit = RateLimit(self.clock, self.metrics)
        agents = make_agents(
            self.upstream_url,
            core,
            self.clock,
            lambda: 0.5,
            self.store or StaticCredentials(self.credentials),
            self.trusted_realms,
            self.limits,
            self.metrics,
            USER_AGENT,
            self.upstream_wire,
            self.rate_limit,
        )
        self.client = UpstreamClient(agents, self.clock, self.offline)
        self.remote = RemoteNamespace(self.client)

    def _build_storage(self) -> None:
        driver = self.driver or MemoryDriver(self.clock)
        self.driver = driver
        descriptors = self.descriptors or MemoryDescriptors(100)
        memory = ":memory:"
        ledger = self.given_ledger or SqliteLedger(memory, InlineDisk())
        if self.tracer is not None:
            driver = trace_driver(driver, self.tracer)
        self.stored = assemble_storage(
            driver,
            MeteredDescriptors(descriptors, self.metrics),
            open_databases(memory, InlineDisk(), ledger),
            self.metrics,
            self.clock,
            self.clock,
            StorageOptions(is_local=self.is_local),
            self.spool,
        )
        self.ledger = self.stored.databases.ledger
        self.content, self.local = self.stored.content, self.stored.namespace
        self.reconciler, self.partials = self.stored.reconciler, self.stored.partials
        self.pending_uploads = self.stored.pending_uploads

    def _build_proxy(self) -> None:
        rate = SharedRate(self.clock)
        downloads = DownloadContext(
            self.partials,
            self.clock,
            lambda: 0.5,
            self.metrics,
            rate,
            room=self.room,
        )
        self.fills = Fills(downloads, tracer=self.tracer, claims=self.claims)
        self.fills.startService()
        self.behind.startService()
        self.proxy = assemble_cache(
            self.stored,
            self.remote,
            self.fills,
            self.policy,
            self.metrics,
            self.clock,
            self.recheck,
            self.upstream_url,
            self.behind,
            self.rate_limit,
        )

    def _build_expiry(self) -> None:
        proxy = Proxy(
            remoteurl=self.upstream_url,
            ttl=Duration(self.ttl),
            local=tuple(map(str, self.table.local)),
        )
        plan = expiry_plan(proxy, self.stored)
        pins = assemble_pins(self.stored, self.table, self.pins, self.clock)
        self.pinned, self.pin_list = pins.pinned, pins.listed
        expiry = assemble_expiry(
            self.stored, plan, self.metrics, self.clock, self.clock, self.pinned
        )
        self.rebuild, self.scheduler = expiry.rebuild, expiry.scheduler
        self.room = assemble_room(
            self.stored,
            self.space,
            expiry.scheduler,
            self.pinned,
            self.metrics.meter_of,
            self.metrics.space,
            self.clock,
        )

    @property
    def is_local(self) -> Callable[[RepositoryName], bool] | None:
        """Tell which repositories are local, if the table names some."""
        return self.table.is_local if self.table.local else None

    def timers(self) -> list[IDelayedCall]:
        """Give what is to happen later, but for writing down what has begun."""
        calls = self.clock.getDelayedCalls()
        return [call for call in calls if call is not self.pending_uploads._timer]

    def paths(self) -> list[str]:
        """Give every path of the memory driver."""
        assert isinstance(self.driver, MemoryDriver)
        return sorted(self.driver.paths())

    def count(self, name: str, **labels: str) -> float:
        """Read a metric; 0 if nobody has set it."""
        return self.metrics.registry.get_sample_value(name, labels) or 0.0
