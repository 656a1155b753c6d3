"""Scrubs: what reads all that is stored, by itself or when asked."""

from __future__ import annotations

from collections.abc import Iterable

from twisted.internet.interfaces import IReactorTime

from txregistry.assembly.context import Context
from txregistry.assembly.expiry import knows_uses
from txregistry.assembly.storage import LocalRegistry
from txregistry.flow.deferred import deferred
from txregistry.interfaces.scrub import IHealer, IScrubMeter
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName
from txregistry.storage.scrub.holders import MAX_CANDIDATES, Candidates, Holders
from txregistry.storage.scrub.memory import ScrubMemory
from txregistry.storage.scrub.scrubber import Scrubber
from txregistry.storage.scrub.service import Scrubbing, ScrubPlan

#: The first look is at a random time between these seconds after the start, so that
#: neither the start nor the disks of several daemons get all at once.
_FIRST_LOOK_SECONDS = (60.0, 600.0)


def assemble_scrubber(
    local: LocalRegistry,
    healer: IHealer | None,
    is_cache: bool,
    meter: IScrubMeter,
    wall: IReactorTime,
    clock: IReactorTime,
) -> Scrubber:
    """Put a scrubber of a local registry together.

    :param healer: of a running cache.
    :param wall: shows the time of day.
    :param clock: measures durations.
    """
    return Scrubber(
        local.driver,
        local.content,
        ScrubMemory(local.databases.index),
        Holders(local.driver, _candidates(local, is_cache)),
        healer,
        meter,
        wall,
        clock,
        local.is_local,
    )


def build_scrub(
    context: Context, local: LocalRegistry, healer: IHealer | None
) -> Scrubbing:
    """Build the service; it scrubs by itself if the configuration says so.

    :param healer: of a cache; ``None`` for a registry.
    """
    meter = context.metrics.scrub
    scrubber = assemble_scrubber(
        local, healer, healer is not None, meter, context.clock, context.reactor
    )
    plan = scrub_plan(context)
    return Scrubbing(scrubber, plan, meter, context.clock, context.reactor)


def scrub_plan(context: Context) -> ScrubPlan | None:
    """Return when to scrub without being asked; ``None`` for never."""
    scrub = context.config.storage.maintenance.scrub
    if not scrub.enabled:
        return None
    least, most = _FIRST_LOOK_SECONDS
    first = least + context.jitter() * (most - least)
    return ScrubPlan(first, scrub.interval, scrub.rate)


def _candidates(local: LocalRegistry, is_cache: bool) -> Candidates:
    @deferred
    async def candidates(digest: Digest) -> Iterable[RepositoryName]:
        # Only a cache has a ledger of what its repositories hold, and it does not know
        # what others have linked.
        if is_cache and knows_uses(local):
            return await local.databases.ledger.holders(digest=digest)
        return await local.namespace.repositories("", MAX_CANDIDATES)

    return candidates
