"""The room on the disk of a cache, and the images that are pinned in it."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from txregistry.assembly.context import Context
from txregistry.assembly.expiry import knows_uses
from txregistry.assembly.storage import LocalRegistry
from txregistry.config.cache import CacheSection, parse_minfree
from txregistry.eviction.candidates import Candidates
from txregistry.eviction.closure import Closure
from txregistry.eviction.evictor import Evictor, MeterOf
from txregistry.eviction.freeing import Freeing
from txregistry.eviction.gauge import Gauge
from txregistry.eviction.pinlist import PinList
from txregistry.eviction.pinned import PinnedImages
from txregistry.eviction.plan import SpacePlan
from txregistry.eviction.reservations import Reservations
from txregistry.eviction.room import Room
from txregistry.expiry.scheduler import ExpiryScheduler
from txregistry.interfaces.driver import IDiskSpace
from txregistry.interfaces.eviction import IPinned, ISpaceMeter
from txregistry.spec.images import ImagePattern
from txregistry.spec.upstreams import UpstreamTable
from txregistry.storage.tree import layout

_log = Logger(namespace="txregistry.assembly.eviction")


def space_plan(cache: CacheSection, local: LocalRegistry) -> SpacePlan:
    """Give the limits of a cache: none where others use it, whose uses are unknown."""
    if not knows_uses(local):
        return SpacePlan()
    return SpacePlan(cache.maxsize, parse_minfree(cache.minfree))


def tell_of_limits(cache: CacheSection, local: LocalRegistry) -> None:
    """Log limits that have no effect."""
    if (cache.maxsize or cache.minfree) and not knows_uses(local):
        _log.warn(
            "cache.maxsize and cache.minfree have no effect: others use the storage,"
            " and this process does not know what they use"
        )
    elif cache.minfree and not IDiskSpace.providedBy(local.driver):
        _log.warn("cache.minfree has no effect: the storage is no file system")


def read_pins(texts: Iterable[str]) -> tuple[ImagePattern, ...]:
    """Read the patterns of a configuration, which was checked."""
    return tuple(map(ImagePattern.parse, texts))


def build_room(
    context: Context, local: LocalRegistry, scheduler: ExpiryScheduler, pinned: IPinned
) -> Room:
    """Build what makes room, by the limits of the configuration."""
    tell_of_limits(context.config.cache, local)
    return assemble_room(
        local,
        space_plan(context.config.cache, local),
        scheduler,
        pinned,
        context.metrics.meter_of,
        context.metrics.space,
        context.reactor,
    )


@attrs.frozen
class Pinning:
    """The pins of a cache.

    :ivar listed: those of an administrator, for the control socket.
    """

    pinned: PinnedImages
    listed: PinList


def assemble_pins(
    local: LocalRegistry,
    table: UpstreamTable,
    configured: Iterable[str],
    clock: IReactorTime,
) -> Pinning:
    """Put together what knows which images are pinned."""
    listed = PinList(local.driver, layout.PINS)
    closure = Closure(local.namespace, table.called, clock)
    pinned = PinnedImages(closure, listed, clock, read_pins(configured))
    listed.changed = pinned.changed
    return Pinning(pinned, listed)


def assemble_room(
    local: LocalRegistry,
    plan: SpacePlan,
    scheduler: ExpiryScheduler,
    pinned: IPinned,
    meter_of: MeterOf,
    gauges: ISpaceMeter,
    clock: IReactorTime,
) -> Room:
    """Put together what makes room in a local registry.

    :param scheduler: knows when the tree was scanned.
    """
    ledger, reservations = local.databases.ledger, Reservations()
    leases, driver = local.content.leases, local.driver
    disk = IDiskSpace(driver) if IDiskSpace.providedBy(driver) else None
    candidates = Candidates(ledger, leases, pinned, reservations.holds)
    evictor = Evictor(local.namespace, local.content, ledger, meter_of)
    return Room(
        plan,
        clock,
        Gauge(ledger, disk, reservations),
        candidates,
        Freeing(clock, candidates, evictor, local.partials, reservations),
        local.partials,
        lambda: scheduler.is_ready,
        gauges,
        reservations,
    )
