"""The listeners, and the sites behind them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.internet.interfaces import IProtocolFactory, IStreamServerEndpoint
from twisted.logger import Logger

from txregistry.admin.commands import (
    CollectCommand,
    DiskCommand,
    HealthCommand,
    NoCollector,
    OfflineCommand,
    PinCommand,
    PinsCommand,
    ReloadCommand,
    StatusCommand,
    VerifyCommand,
)
from txregistry.admin.content import AnyCommand
from txregistry.admin.control import ControlFactory
from txregistry.admin.images import (
    ExplainCommand,
    NoImages,
    PurgeCommand,
    ReadyCommand,
    RefreshCommand,
    WarmCommand,
)
from txregistry.admin.transfers import transfer_commands
from txregistry.assembly.audit import (
    AuditedCollector,
    AuditedPins,
    AuditedScrubber,
    AuditedSwitch,
)
from txregistry.assembly.context import Context
from txregistry.assembly.ownpaths import control_socket, own_path
from txregistry.assembly.settings import api_settings, channel_limits, http2_choice
from txregistry.assembly.storage import LocalRegistry
from txregistry.assembly.transfers import Transfers
from txregistry.config.middleware import enabled
from txregistry.daemon.debug import DebugSite, LimitedFactory
from txregistry.daemon.endpoints import (
    LinkedEndpoint,
    inherited_sockets,
    main_endpoints,
    remove_stale_socket,
    tcp_endpoint,
)
from txregistry.flow.changes import ChangeTimes
from txregistry.health.checks import Health
from txregistry.health.diagnosis import Diagnosis
from txregistry.interfaces.access import IAccessController, IPeerless
from txregistry.interfaces.audit import IAudit, Requester
from txregistry.interfaces.collection import ICollector
from txregistry.interfaces.commands import Command
from txregistry.interfaces.events import IEventSink
from txregistry.interfaces.eviction import IEvictionPlan, IPinList
from txregistry.interfaces.images import IImages
from txregistry.interfaces.namespace import INamespace
from txregistry.interfaces.observe import IExchangeObserver
from txregistry.interfaces.offline import IOfflineSwitch
from txregistry.interfaces.overview import IOverlook
from txregistry.interfaces.reload import IReloader
from txregistry.interfaces.scrub import IScrubber
from txregistry.observe.access import make_access_log
from txregistry.observe.debug import Debug
from txregistry.observe.metrics import NotificationState, Observers
from txregistry.observe.outlet import ILines
from txregistry.observe.slow import SlowAnswers
from txregistry.spec.proxies import TrustedProxies
from txregistry.web.api import Api
from txregistry.web.http.serving import Serving, make_serving
from txregistry.web.http.site import RegistrySite
from txregistry.web.unfinished_uploads import UploadCounts

#: Most bytes in the path of a Unix socket.
_MAX_SOCKET_PATH = 107

#: Why a storage that others use is not collected by one daemon: each would have to know
#: what the others are about to refer to.
_NOT_COLLECTED = (
    "others use this storage: stop them all or make them read-only"
    " (storage.maintenance.readonly), then say --unlocked"
)

#: Why a registry has no commands for cached images.
_NO_CACHE = "this daemon caches no upstream (proxy.remoteurl, proxy.upstreams)"

#: The commands that then say so.
IMAGE_COMMANDS = ("warm", "explain", "ready", "refresh", "purge")

#: What health says of a cache that is offline on purpose.
_OFFLINE = "no upstream is asked, as proxy.offline or an administrator says"

#: A factory, and the endpoint on which it listens.
Listener = tuple[IProtocolFactory, IStreamServerEndpoint]

_log = Logger(namespace="txregistry.assembly.listeners")


@attrs.frozen
class Backend:
    """What the listeners serve.

    :ivar namespace: local, or of a cache.
    :ivar secret: gives the bytes that seal the states of uploads.
    :ivar access_log: observer of the access log.
    :ivar deliveries: counts of notifications, for the debug listener.
    :ivar room: on the disk of a cache, for the control socket; ``None`` of a registry.
    :ivar pins: images that are kept there.
    :ivar transfers: carries images out and in, for the control socket.
    :ivar uploads: counts unfinished uploads.
    :ivar scrubber: verifies what is stored, for the control socket.
    :ivar images: those of a cache, likewise; ``None`` for a registry.
    :ivar offline: has no upstream asked; ``None`` for a registry.
    :ivar overlook: looks at a cache; ``None`` for a registry.
    :ivar answers: remembers what clients are told; ``None`` for a registry.
    """

    namespace: INamespace
    local: LocalRegistry
    controller: IAccessController
    events: IEventSink
    health: Health
    secret: Callable[[], bytes]
    access_log: ILines
    deliveries: NotificationState
    scrubber: IScrubber
    room: IEvictionPlan | None
    pins: IPinList
    transfers: Transfers
    uploads: UploadCounts = attrs.field(factory=UploadCounts)
    images: IImages | None = None
    offline: IOfflineSwitch | None = None
    overlook: IOverlook | None = None
    answers: IExchangeObserver | None = None


def build_listeners(
    context: Context, backend: Backend, reloader: IReloader
) -> Iterator[Listener]:
    """Give all listeners, the registry's last.

    :param reloader: runs the ``reload`` command of the control socket.
    :raise OSError: a file that the configuration names cannot be read.
    :raise ValueError: the configuration cannot be used.
    """
    http = context.config.http
    serving = build_serving(context, backend)
    site = RegistrySite(serving, context.reactor, context.clock)
    site.tracer = context.tracer
    if http.debug.addr:
        site_of_debug = LimitedFactory(_debug_site(context, backend), context.reactor)
        yield site_of_debug, tcp_endpoint(context.reactor, http.debug.addr)
    yield from _control(context, backend, reloader)
    inherited = inherited_sockets(context.reactor)
    protocols = site.acceptableProtocols()
    for endpoint in main_endpoints(context.reactor, http, protocols, inherited):
        yield site, endpoint


def build_serving(context: Context, backend: Backend) -> Serving:
    """Return the settings of the registry's site."""
    http = context.config.http
    api = Api(
        backend.namespace,
        api_settings(context.config, backend.secret),
        backend.controller,
        backend.events,
        backend.health,
        context.audit,
        backend.uploads,
        backend.local.changes,
    )
    return make_serving(
        api.resource(),
        _observers(context, backend),
        http.prefix,
        http.headers,
        channel_limits(context.config),
        http2_choice(context.config),
        http.h2c.enabled,
        TrustedProxies.parse(http.trustedproxies),
        _repeated(context, backend),
    )


def _repeated(context: Context, backend: Backend) -> ChangeTimes | None:
    """Return what notes changes; ``None`` if no answer may be given again.

    Others may change a shared storage, and decide by the address of a client.
    """
    is_alone = not backend.local.driver.is_shared
    around = {kind for kind, _, _ in enabled(context.config.middleware)}
    is_peerless = IPeerless.providedBy(backend.controller) and around <= {"storage"}
    return backend.local.changes if is_alone and is_peerless else None


def _observers(context: Context, backend: Backend) -> Observers:
    observers: tuple[IExchangeObserver, ...] = (context.metrics,)
    log = context.config.log
    if not log.accesslog.disabled:
        lines, clock = backend.access_log, context.clock
        observers += (make_access_log(log.formatter, log.fields, lines, clock),)
    if backend.answers is not None:
        observers += (backend.answers,)
    if context.config.http.admin.addr:
        observers += (SlowAnswers(),)
    return Observers(observers)


def _control(
    context: Context, backend: Backend, reloader: IReloader
) -> Iterator[Listener]:
    link = own_path(context.config, "control.sock", "", environment=context.environment)
    if not link:
        return
    path = control_socket(link, context.environment)
    if len(os.fsencode(path)) > _MAX_SOCKET_PATH:
        _log.warn("no control socket: {path} is too long for one", path=path)
        return
    remove_stale_socket(path)
    endpoint: IStreamServerEndpoint
    endpoint = UNIXServerEndpoint(context.reactor, path, mode=0o600, wantPID=False)
    if path != link:
        endpoint = LinkedEndpoint(endpoint, path, link)
    commands = commands_of(context, backend, reloader)
    yield ControlFactory(commands, context.reactor), endpoint


def commands_of(
    context: Context, backend: Backend, reloader: IReloader
) -> dict[str, AnyCommand]:
    """Return what an administrator can have done, by name."""
    audit, proxy = context.audit, context.config.proxy
    # A cache need not have what it links: it is fetched when it is asked for.
    has_own = proxy.has_own

    def scrubber(who: Requester) -> IScrubber:
        return AuditedScrubber(backend.scrubber, audit, who)

    def collector(who: Requester) -> ICollector:
        local = backend.local
        shared = NoCollector(_NOT_COLLECTED) if local.driver.is_shared else None
        return AuditedCollector(shared or local.collector, audit, who)

    def switch(who: Requester) -> IOfflineSwitch:
        assert backend.offline is not None
        return AuditedSwitch(backend.offline, audit, who)

    def pins(who: Requester) -> IPinList:
        return AuditedPins(backend.pins, audit, who)

    well = diagnosis(backend)
    commands: dict[str, AnyCommand] = {
        "health": HealthCommand(well.problems, well.notes),
        "reload": ReloadCommand(reloader),
        "verify": VerifyCommand(scrubber, looks_at_links=has_own),
    }
    commands |= _image_commands(backend.images, audit)
    carried = backend.transfers
    commands |= transfer_commands(
        carried.named, carried.exporter, carried.importer, audit
    )
    if has_own:
        commands["collect"] = CollectCommand(collector)
    if backend.offline is not None:
        commands["offline"] = OfflineCommand(switch)
    if backend.overlook is not None:
        commands["status"] = StatusCommand(backend.overlook)
    if backend.room is not None:
        commands["disk"] = DiskCommand(backend.room)
        commands["pin"] = PinCommand(lambda who, new: pins(who).pin(pattern=new))
        commands["unpin"] = PinCommand(lambda who, old: pins(who).unpin(pattern=old))
        commands["pins"] = PinsCommand(backend.pins)
    return commands


def _image_commands(images: IImages | None, audit: IAudit) -> dict[str, Command]:
    if images is None:
        return dict.fromkeys(IMAGE_COMMANDS, NoImages(_NO_CACHE))
    return {
        "warm": WarmCommand(images),
        "explain": ExplainCommand(images),
        "ready": ReadyCommand(images),
        "refresh": RefreshCommand(images),
        "purge": PurgeCommand(images, audit),
    }


def diagnosis(backend: Backend) -> Diagnosis:
    """Return what is asked whether the daemon is well."""

    def look_at_storage() -> Deferred[None]:
        return backend.local.driver.stat("/").addCallback(lambda _: None)

    def notes() -> Mapping[str, str]:
        is_offline = backend.offline is not None and backend.offline.is_on
        return {"offline": _OFFLINE} if is_offline else {}

    return Diagnosis(backend.health, {"storage": look_at_storage}, notes)


def _debug_site(context: Context, backend: Backend) -> DebugSite:
    debug = context.config.http.debug

    def variables() -> dict[str, object]:
        return {"registry": {"notifications": {"endpoints": backend.deliveries()}}}

    well = diagnosis(backend)
    resource = Debug(
        well.problems,
        variables,
        context.metrics.exposition,
        debug.prometheus.path if debug.prometheus.enabled else "",
        well.notes,
    ).resource()
    return DebugSite(resource)
