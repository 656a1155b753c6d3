"""Expiry: a ledger of stored content, and the removal of unused content."""

from __future__ import annotations

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from txregistry.assembly.storage import LocalRegistry
from txregistry.assembly.upstreams import local_in, upstream_table
from txregistry.config.fields import spoken_duration
from txregistry.config.proxy import Proxy
from txregistry.expiry.plan import ExpiryPlan
from txregistry.expiry.reaper import Reaper
from txregistry.expiry.rebuild import Rebuild
from txregistry.expiry.scheduler import ExpiryScheduler
from txregistry.interfaces.eviction import IPinned
from txregistry.observe.metrics import Metrics
from txregistry.storage.content.inventory import Inventory
from txregistry.storage.tree import layout

_log = Logger(namespace="txregistry.assembly.expiry")

_NO_EFFECT = (
    "proxy.ttl has no effect: others use the storage, and this process does not know"
    " what they use"
)


def expiry_plan(proxy: Proxy, local: LocalRegistry) -> ExpiryPlan:
    """Give when things expire: never where others use them, whose uses are unknown."""
    is_kept = local_in(upstream_table(proxy))
    if not knows_uses(local):
        return ExpiryPlan(0.0, is_kept=is_kept)
    others = {key: upstream.ttl for key, upstream in proxy.upstreams.items()}
    return ExpiryPlan(proxy.ttl, others, is_kept)


def knows_uses(local: LocalRegistry) -> bool:
    """Tell whether the ledger has the uses of all processes."""
    return local.databases.ledger.is_shared or not local.driver.is_shared


def tell_of_ttl(proxy: Proxy, local: LocalRegistry) -> None:
    """Log that a cache does not let things expire although it was told to."""
    if any(_lives(proxy)) and not knows_uses(local):
        _log.warn(_NO_EFFECT)


def _lives(proxy: Proxy) -> tuple[float, ...]:
    return proxy.ttl, *(upstream.ttl for upstream in proxy.upstreams.values())


def news_of_ttl(ttl: float, local: LocalRegistry) -> str:
    """Say what another time to live means for what is cached already."""
    if ttl and not knows_uses(local):
        return _NO_EFFECT
    if not ttl:
        return "proxy.ttl applies to what is cached already: none of it expires now"
    return (
        "proxy.ttl applies to what is cached already: what was not used for"
        f" {spoken_duration(ttl)} is deleted, beginning within a minute"
    )


@attrs.frozen
class Expiry:
    """The parts of expiry.

    :ivar rebuild: fills the ledger from the tree, and from the Go registry's file.
    :ivar inventory: finds what repositories hold.
    """

    rebuild: Rebuild
    scheduler: ExpiryScheduler
    reaper: Reaper
    inventory: Inventory


def assemble_expiry(
    local: LocalRegistry,
    plan: ExpiryPlan,
    metrics: Metrics,
    clock: IReactorTime,
    timer: IReactorTime,
    pinned: IPinned,
) -> Expiry:
    """Put expiry together for a local registry.

    :param clock: shows the time of day.
    :param timer: measures durations.
    :param pinned: what stays however long it is not used.
    """
    ledger, inventory = local.databases.ledger, Inventory(local.driver, local.content)
    rebuild = Rebuild(
        local.driver,
        layout.SCHEDULER_STATE,
        ledger,
        inventory,
        local.content,
        local.partials,
        plan,
        clock,
    )
    # Without repositories of its own all that a cache has can be fetched again.
    if knows_uses(local) or local.is_local is not None:
        local.content.knows_links = rebuild.knows_links
    leases = local.content.leases
    reaper = Reaper(local.namespace, local.content, leases, ledger, metrics)
    scheduler = ExpiryScheduler(clock, timer, plan, ledger, reaper, rebuild, pinned)
    return Expiry(rebuild, scheduler, reaper, inventory)
