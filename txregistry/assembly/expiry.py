"""Expiry: a ledger of stored content, and the removal of unused content."""

from __future__ import annotations

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from txregistry.assembly.storage import LocalRegistry
from txregistry.assembly.upstreams import local_in
from txregistry.expiry.plan import ExpiryPlan
from txregistry.expiry.reaper import Reaper
from txregistry.expiry.rebuild import Rebuild
from txregistry.expiry.scheduler import ExpiryScheduler
from txregistry.interfaces.eviction import IPinned
from txregistry.observe.metrics import Metrics
from txregistry.spec.upstreams import UpstreamTable
from txregistry.storage.content.inventory import Inventory
from txregistry.storage.tree import layout

_log = Logger(namespace="txregistry.assembly.expiry")


def expiry_plan(ttl: float, local: LocalRegistry) -> ExpiryPlan:
    """Give when things expire: never where others use them, whose uses are unknown.

    :param ttl: seconds after the last use; 0 for never.
    """
    return ExpiryPlan(ttl if knows_uses(local) else 0.0)


def knows_uses(local: LocalRegistry) -> bool:
    """Tell whether the ledger has the uses of all processes."""
    return local.databases.ledger.is_shared or not local.driver.is_shared


def tell_of_ttl(ttl: float, local: LocalRegistry) -> None:
    """Log that a cache does not let things expire although it was told to."""
    if ttl and not knows_uses(local):
        _log.warn(
            "proxy.ttl has no effect: others use the storage, and this process does not"
            " know what they use"
        )


@attrs.frozen
class Expiry:
    """The parts of expiry.

    :ivar rebuild: fills the ledger from the tree, and from the Go registry's file.
    """

    rebuild: Rebuild
    scheduler: ExpiryScheduler


def assemble_expiry(
    local: LocalRegistry,
    ttl: float,
    metrics: Metrics,
    clock: IReactorTime,
    table: UpstreamTable,
    pinned: IPinned,
) -> Expiry:
    """Put expiry together for a local registry.

    :param ttl: seconds after the last use; 0 for never.
    :param table: tells which repositories no upstream has: theirs never expire.
    :param pinned: what stays however long it is not used.
    """
    plan, ledger = expiry_plan(ttl, local), local.databases.ledger
    rebuild = Rebuild(
        local.driver,
        layout.SCHEDULER_STATE,
        ledger,
        Inventory(local.driver, local.content),
        local.content,
        local.partials,
        plan,
        clock,
        local_in(table),
    )
    leases = local.content.leases
    reaper = Reaper(local.namespace, local.content, leases, ledger, metrics)
    scheduler = ExpiryScheduler(clock, plan, ledger, reaper, rebuild, pinned)
    return Expiry(rebuild, scheduler)
