"""Who refers to the manifests of one repository of a cache: opinions with an age."""

from __future__ import annotations

from collections import OrderedDict

import attrs
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from txregistry.flow.deferred import Flights, deferred
from txregistry.interfaces.provenance import current_status
from txregistry.interfaces.referrers import IReferrerService, Referrers
from txregistry.proxy.outage import is_outage
from txregistry.spec.digest import Digest
from txregistry.spec.errors import RegistryError
from txregistry.spec.freshness import TagPolicy, Verdict
from txregistry.spec.reference import RepositoryName

#: What is remembered of all repositories: lists, and the entries of all of them.
MAX_LISTS = 10_000
MAX_ENTRIES = 50_000


@attrs.frozen
class Seen:
    """What the upstream last said, and when."""

    referrers: Referrers
    confirmed_at: float


#: Names a list.
Key = tuple[RepositoryName, Digest]


@attrs.define(eq=False)
class ReferrerMemory:
    """The lists of all repositories; the one renewed longest ago goes first."""

    _seen: OrderedDict[Key, Seen] = attrs.field(factory=OrderedDict)
    _entries: int = 0

    def find(self, key: Key) -> Seen | None:
        """Give what was last seen."""
        return self._seen.get(key)

    def remember(self, key: Key, seen: Seen) -> None:
        """Keep a list, and others as long as there is room."""
        self._forget(key)
        self._seen[key] = seen
        self._entries += len(seen.referrers)
        while len(self._seen) > MAX_LISTS or self._entries > MAX_ENTRIES:
            self._forget(next(iter(self._seen)))

    def _forget(self, key: Key) -> None:
        gone = self._seen.pop(key, None)
        if gone is not None:
            self._entries -= len(gone.referrers)


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
    at_once: int | None = None
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
        seen = self._memory.find((self._name, digest))
        if seen and self._policy.judge(seen.confirmed_at, now) is Verdict.FRESH:
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
        seen = Seen(found, self._clock.seconds())
        self._memory.remember((self._name, digest), seen)
        return found
