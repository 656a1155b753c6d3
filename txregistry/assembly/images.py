"""The images of a cache, for whoever asks by the control socket."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.defer import Deferred

from txregistry.assembly.caches import Cache
from txregistry.assembly.context import Context
from txregistry.assembly.expiry import Expiry
from txregistry.assembly.overview import Overlook
from txregistry.assembly.storage import LocalRegistry
from txregistry.flow.disk import Disk
from txregistry.images.keeper import Images
from txregistry.images.purge import Purger
from txregistry.images.schedule import WarmPlan, WarmSchedule, images_in
from txregistry.images.warm import Warmer
from txregistry.interfaces.answers import IAnswers
from txregistry.interfaces.images import IImages
from txregistry.interfaces.overview import IOverlook
from txregistry.proxy.fills import written
from txregistry.spec.platforms import WantedPlatform
from txregistry.spec.reference import RepositoryName

#: Most seconds from a start, or a reload, to the first round of ``proxy.warm``.
_FIRST_ROUND_SECONDS = 30.0


def warm_plan(context: Context) -> WarmPlan:
    """Return what ``proxy.warm`` asks for."""
    warm = context.config.proxy.warm
    return WarmPlan(
        warm.images,
        warm.file,
        tuple(map(WantedPlatform.parse, warm.platforms)),
        context.jitter() * _FIRST_ROUND_SECONDS,
        warm.interval,
    )


def build_warming(context: Context, images: IImages, disk: Disk) -> WarmSchedule:
    """Build the service that warms images by itself.

    :param disk: reads ``proxy.warm.file``.
    """

    def read_list(path: str) -> Deferred[list[str]]:
        return disk.run(lambda: images_in(Path(path).read_text("utf-8", "replace")))

    return WarmSchedule(images, warm_plan(context), read_list, context.reactor)


def build_overlook(context: Context, cache: Cache) -> IOverlook:
    """Build what looks at a cache."""
    current, offline = cache.current, cache.shared.offline
    return Overlook(lambda: current.upstreams, offline, context.reactor)


def build_images(
    context: Context,
    local: LocalRegistry,
    cache: Cache,
    expiry: Expiry,
    answers: IAnswers,
) -> IImages:
    """Build what warms, explains and purges the images of a cache.

    :param answers: what clients were told.
    """
    current, ledger = cache.current, local.databases.ledger
    scheduler = expiry.scheduler

    def expiry_of(name: RepositoryName, last_use: float) -> float | None:
        plan = scheduler.plan
        return plan.expiry(name, last_use) if plan.ttl_of(name) else None

    return Images(
        lambda: current.namespace,
        lambda: current.table,
        local.namespace,
        Warmer(
            lambda: current.namespace,
            local.namespace,
            lambda digest: written(cache.shared.running, digest),
            context.reactor,
        ),
        Purger(
            local.namespace,
            expiry.inventory,
            ledger,
            expiry.reaper.functions(),
            lambda: scheduler.is_ready,
        ),
        ledger,
        expiry_of,
        answers,
        context.clock,
    )
