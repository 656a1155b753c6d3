"""The images of a cache, for whoever asks by the control socket."""

from __future__ import annotations

from txregistry.assembly.caches import Cache
from txregistry.assembly.context import Context
from txregistry.assembly.expiry import Expiry
from txregistry.assembly.storage import LocalRegistry
from txregistry.images.keeper import Images
from txregistry.images.purge import Purger
from txregistry.images.warm import Warmer
from txregistry.interfaces.images import IImages
from txregistry.proxy.fetching import BlobFetcher
from txregistry.spec.reference import RepositoryName


def build_images(
    context: Context, local: LocalRegistry, cache: Cache, expiry: Expiry
) -> IImages:
    """Build what warms, explains and purges the images of a cache."""
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
            BlobFetcher(cache.shared.running),
            context.reactor,
        ),
        Purger(local.namespace, expiry.inventory, ledger, expiry.reaper.functions()),
        ledger,
        expiry_of,
        context.clock,
    )
