"""The referrers of manifests in one repository of a cache, cached for a while."""

from __future__ import annotations

import attrs
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.flights import Flights
from txregistry.flow.sized import SizedCache
from txregistry.interfaces.provenance import current_status
from txregistry.interfaces.referrers import IReferrerService, Referrers
from txregistry.spec.digest import Digest
from txregistry.spec.errors import RegistryError
from txregistry.spec.freshness import Freshness, TagPolicy
from txregistry.spec.reference import RepositoryName

#: Stored manifests that a list is made of in an outage, at most.
MAX_STORED = 10_000

#: Bytes of memory for the lists of all repositories together.
MAX_BYTES = 16 * 1024 * 1024


@attrs.frozen
class SeenReferrers:
    """The upstream's last answer, and its time."""

    referrers: Referrers
    confirmed_at: float


#: The lists of all repositories; the one renewed longest ago is evicted first.
ReferrerMemory = SizedCache[tuple[RepositoryName, Digest], SeenReferrers]


def make_referrer_memory() -> ReferrerMemory:
    """Return an empty cache of lists."""
    return SizedCache(MAX_BYTES)


@implementer(IReferrerService)
@attrs.define(eq=False)
class ProxyReferrers:
    """Lists of the upstream, cached as long as tags are.

    In an outage an older list is served as stale. Without one, as after a restart, what
    is stored is listed, unless stale answers have a limit of time: then nothing says
    how old this one is. The request fails if nothing is stored either, as an empty list
    would mean that there are no signatures.
    """

    _name: RepositoryName
    _local: IReferrerService
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
        """Fire with a page of referrers, cut from the whole list.

        :return: fails as the upstream does.
        """
        full = await self._full_list(digest)
        return [
            item
            for item in full
            if str(item.descriptor.digest) > after
            and artifact_type in (None, item.artifact_type)
        ][:limit]

    @deferred
    async def _full_list(self, digest: Digest) -> Referrers:
        now, status = self._clock.seconds(), current_status()
        seen = self._memory.get((self._name, digest))
        if seen and self._policy.judge(seen.confirmed_at, now) is Freshness.FRESH:
            status.hit = True
            return seen.referrers
        status.forward = "miss"
        try:
            return await self._flights.join(digest, lambda: self._request(digest))
        except RegistryError as error:
            if not self._policy.errors.serves_stale(error):
                raise
            last = seen or await self._stored(digest, now)
            if not last or not self._policy.may_serve_stale(last.confirmed_at, now):
                raise
            status.hit, status.forward = True, "stale"
            status.stale_seconds = now - last.confirmed_at
            return last.referrers

    @deferred
    async def _stored(self, digest: Digest, now: float) -> SeenReferrers | None:
        """List what is stored, as if it were confirmed until it had to be again."""
        if self._policy.max_stale_seconds is not None:
            return None
        found = await self._local.list(digest=digest, limit=MAX_STORED)
        if not found:
            return None
        return SeenReferrers(found, now - self._policy.fresh_seconds)

    @deferred
    async def _request(self, digest: Digest) -> Referrers:
        found = await self._remote.list(digest=digest)
        seen = SeenReferrers(found, self._clock.seconds())
        self._memory.put(
            (self._name, digest), seen, sum(item.memory_bytes for item in found)
        )
        return found
