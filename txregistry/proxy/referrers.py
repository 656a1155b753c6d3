"""Who refers to the manifests of one repository of a cache: opinions with an age."""

from __future__ import annotations

import attrs
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from txregistry.flow.deferred import Flights, deferred
from txregistry.flow.sized import SizedCache
from txregistry.interfaces.provenance import current_status
from txregistry.interfaces.referrers import IReferrerService, Referrers
from txregistry.proxy.outage import is_outage
from txregistry.spec.digest import Digest
from txregistry.spec.errors import RegistryError
from txregistry.spec.freshness import Freshness, TagPolicy
from txregistry.spec.reference import RepositoryName

#: Bytes of memory for the lists of all repositories together.
MAX_BYTES = 16 * 1024 * 1024


@attrs.frozen
class SeenReferrers:
    """The upstream's last answer, and its time."""

    referrers: Referrers
    confirmed_at: float


#: The lists of all repositories; the one renewed longest ago is evicted first.
ReferrerMemory = SizedCache[tuple[RepositoryName, Digest], SeenReferrers]


def make_memory() -> ReferrerMemory:
    """Give an empty cache of lists."""
    return SizedCache(MAX_BYTES)


@implementer(IReferrerService)
@attrs.define(eq=False)
class ProxyReferrers:
    """Lists as the upstream gives them, remembered as long as tags are.

    In an outage an older list is served, marked as stale; without one it is an error
    and never an empty list.
    """

    _name: RepositoryName
    _remote: IReferrerService
    _memory: ReferrerMemory
    _policy: TagPolicy
    _clock: IReactorTime
    page_size: int | None = None
    _flights: Flights[Digest, Referrers] = attrs.field(factory=Flights)

    @deferred
    async def list(
        self,
        digest: Digest,
        artifact_type: str | None = None,
        after: str = "",
        limit: int | None = None,
    ) -> Referrers:
        """Fire with a page of referrers, cut from the whole list."""
        whole = await self._whole(digest)
        return [
            item
            for item in whole
            if str(item.descriptor.digest) > after
            and artifact_type in (None, item.artifact_type)
        ][:limit]

    @deferred
    async def _whole(self, digest: Digest) -> Referrers:
        now, status = self._clock.seconds(), current_status()
        seen = self._memory.get((self._name, digest))
        if seen and self._policy.judge(seen.confirmed_at, now) is Freshness.FRESH:
            status.hit = True
            return seen.referrers
        status.forward = "miss"
        try:
            return await self._flights.join(digest, lambda: self._ask(digest))
        except RegistryError as error:
            if not seen or not is_outage(error):
                raise
            if not self._policy.may_serve_stale(seen.confirmed_at, now):
                raise
            status.hit, status.forward = True, "stale"
            status.stale_seconds = now - seen.confirmed_at
            return seen.referrers

    @deferred
    async def _ask(self, digest: Digest) -> Referrers:
        found = await self._remote.list(digest=digest)
        seen = SeenReferrers(found, self._clock.seconds())
        self._memory.put(
            (self._name, digest), seen, sum(item.memory_bytes for item in found)
        )
        return found
