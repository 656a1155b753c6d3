"""The tags of one repository of a cache, cached for a while."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.flights import Flights
from txregistry.interfaces.observe import Count
from txregistry.interfaces.provenance import current_status
from txregistry.interfaces.tags import (
    IConfirmedTags,
    IRemoteTags,
    ITagFallback,
    ITagStore,
    Tags,
    TagTimes,
)
from txregistry.interfaces.transfers import ITagAdopter
from txregistry.proxy.context import CacheContext
from txregistry.proxy.known_tags import KnownTags
from txregistry.proxy.outage import is_answer
from txregistry.proxy.tag_answers import SeenTag
from txregistry.proxy.tag_lists import page_of
from txregistry.spec.cachestatus import BEHIND
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.errors import ManifestUnknown, NameUnknown, RegistryError
from txregistry.spec.freshness import Freshness
from txregistry.spec.reference import RepositoryName, Tag


@implementer(IConfirmedTags, ITagFallback, ITagAdopter)
@attrs.define(eq=False)
class ProxyTags:
    """Tags of the upstream, cached by the policy for tags."""

    _name: RepositoryName
    _local: ITagStore
    _known: KnownTags
    _remote: IRemoteTags
    _cache: CacheContext
    _flights: Flights[Tag, Descriptor] = attrs.field(factory=Flights)
    _fetches: Flights[Tag, Descriptor] = attrs.field(factory=Flights)
    _lists: Flights[RepositoryName, Tags] = attrs.field(factory=Flights)

    @deferred
    async def get(self, tag: Tag) -> Descriptor:
        """Resolve a tag: from a fresh answer, by the upstream, or stale in an outage.

        :return: fires with a descriptor. Fails with ``ManifestUnknown``, or as the
            upstream does.
        """
        now = self._cache.clock.seconds()
        self._known.touch(tag, now)
        seen = self._known.seen(tag)
        known = None if seen is None else await self._at_once(tag, seen, now)
        if known is not None:
            return known
        known = await self._spare(tag, now)
        if known is not None:
            return known
        current_status().forward = "miss"
        if self._flights.is_under_way(tag):
            current_status().collapsed = True
            self._cache.meter.count(Count.COALESCED, "tag")
        try:
            descriptor = await self._flights.join(tag, lambda: self._resolve(tag))
        except RegistryError as error:
            if isinstance(error, ManifestUnknown) and not self._serves_stale(error):
                await self._known.delete(tag)
            return await self._stale(tag, error)
        self._known.touch_manifest(descriptor, now)
        return descriptor

    def is_limited(self) -> bool:
        """Return whether stored tags become too old; see :class:`IConfirmedTags`."""
        return self._cache.policy.max_stale_seconds is not None

    @deferred
    async def times(self, tag: Tag) -> TagTimes:
        """Fire with the times of a stored tag; see :class:`IConfirmedTags`."""
        stored = await self._known.stored(tag)
        at, policy = await self._known.confirmed_at(tag, stored), self._cache.policy
        stale = policy.max_stale_seconds
        return TagTimes(
            at, at + policy.fresh_seconds, None if stale is None else at + stale
        )

    @deferred
    async def refresh(self, tag: Tag) -> Descriptor:
        """Ask the upstream what a tag stands for; see :class:`IConfirmedTags`."""
        self._remote.forget_missing(tag=tag)
        try:
            answer = await self._remote.resolve(tag=tag)
        except ManifestUnknown as error:
            if not self._serves_stale(error):
                await self._known.delete(tag)
            raise
        return await self._known.record(tag, answer)

    def adopt(
        self, tag: Tag, descriptor: Descriptor, confirmed_at: float
    ) -> Deferred[None]:
        """Let a tag stand for a stored manifest; see :class:`ITagAdopter`."""
        self._remote.forget_missing(tag=tag)
        return self._known.adopt(tag, descriptor, confirmed_at)

    @deferred
    async def _at_once(self, tag: Tag, seen: SeenTag, now: float) -> Descriptor | None:
        """Fire with an answer that needs no question before it, if there is one."""
        judged = self._cache.policy.judge(seen.confirmed_at, now)
        if judged is Freshness.REVALIDATE:
            return None
        known = await self._known.complete(tag, seen) if seen.is_hint else seen
        if judged is Freshness.BEHIND:
            if known.is_hint:
                return None  # the upstream has to be asked for the manifest anyway
            self._ask_behind(tag, now - seen.confirmed_at)
        current_status().hit = True
        self._known.touch_manifest(known.descriptor, now)
        return known.descriptor

    def _ask_behind(self, tag: Tag, age: float) -> None:
        status = current_status()
        status.stale_seconds, status.detail = age, BEHIND
        self._cache.meter.count(Count.BEHIND, "tag")
        if self._cache.rate_limit.take():
            self._cache.behind.ask((self._name, tag), lambda: self._revalidate(tag))

    @deferred
    async def _revalidate(self, tag: Tag) -> None:
        """Ask the upstream about a tag, and have its manifest here if it has moved."""
        try:
            await self._flights.join(tag, lambda: self._resolve(tag))
            seen = self._known.seen(tag)
            if seen is not None and (await self._known.complete(tag, seen)).is_hint:
                await self._fetches.join(tag, lambda: self._fetch(tag))
        except RegistryError as error:
            if self._serves_stale(error):
                return
            # The next client asks for itself, and gets the upstream's answer.
            self._known.forget(tag)
            if isinstance(error, ManifestUnknown):
                await self._known.delete(tag)

    @deferred
    async def fall_back(self, tag: Tag, error: RegistryError) -> Descriptor:
        """Fetch a tag's manifest, or use the stored one; see :class:`ITagFallback`.

        The tag may have moved since HEAD, or its answer may be only a hint: the
        manifest is requested by the tag itself. If that fails, the tag is not fresh.
        """
        if is_answer(error):
            try:
                found = await self._fetches.join(tag, lambda: self._fetch(tag))
            except RegistryError as another:
                error = error if self._serves_stale(error) else another
            else:
                current_status().fetched()
                return found
        self._known.forget(tag)
        return await self._stale(tag, error)

    @deferred
    async def _spare(self, tag: Tag, now: float) -> Descriptor | None:
        """Fire with the stored descriptor of a tag that is not to be asked about now.

        What is under way already is waited for.
        """
        if not self._cache.rate_limit.is_short or self._flights.is_under_way(tag):
            return None
        try:
            stored = await self._known.stored(tag)
        except ManifestUnknown:
            return None
        confirmed_at = await self._known.confirmed_at(tag, stored)
        if not self._cache.policy.may_serve_stale(confirmed_at, now):
            return None
        if self._cache.rate_limit.take():
            return None
        status = current_status()
        status.hit, status.detail = True, "ratelimit"
        status.stale_seconds = now - confirmed_at
        self._cache.meter.count(Count.STALE, "tag")
        return stored

    @deferred
    async def _stale(self, tag: Tag, error: RegistryError) -> Descriptor:
        """Fire with the stored descriptor, if that is served in place of an error."""
        if not self._serves_stale(error):
            raise error
        try:
            descriptor = await self._known.stored(tag)
        except ManifestUnknown:
            raise error from None
        now = self._cache.clock.seconds()
        confirmed_at = await self._known.confirmed_at(tag, descriptor)
        if not self._cache.policy.may_serve_stale(confirmed_at, now):
            raise error
        self._mark_stale(error, now - confirmed_at)
        return descriptor

    @deferred
    async def list(self, after: str = "", limit: int | None = None) -> Tags:
        """Fire with a page of the upstream's tags, or of stored ones in an outage.

        :return: fails with ``NameUnknown``, or as the upstream does.
        """
        now = self._cache.clock.seconds()
        status = current_status()
        whole = self._cache.tag_lists.find(self._name, now)
        if whole is not None:
            status.hit = True
            return page_of(whole, after, limit)
        status.forward = "miss"
        status.collapsed = self._lists.is_under_way(self._name)
        try:
            whole = await self._lists.join(self._name, self._list)
            status.stored = self._cache.tag_lists.find(self._name, now) is not None
            return page_of(whole, after, limit)
        except RegistryError as error:
            if not self._serves_stale(error):
                raise
            try:
                found = await self._local.list(after=after, limit=limit)
            except NameUnknown:
                raise error from None
            self._mark_stale(error, 0.0)
            return found

    @deferred
    async def _list(self) -> Tags:
        found: Tags = await self._remote.list()
        self._cache.tag_lists.remember(self._name, found, self._cache.clock.seconds())
        return found

    @deferred
    async def _resolve(self, tag: Tag) -> Descriptor:
        known = await self._known.recall(tag)
        if known is not None:
            current_status().served_from_cache()
            return known
        return await self._known.record(tag, await self._remote.resolve(tag=tag))

    @deferred
    async def _fetch(self, tag: Tag) -> Descriptor:
        return await self._known.record(tag, await self._remote.fetch(tag=tag))

    def _serves_stale(self, error: RegistryError) -> bool:
        return self._cache.policy.errors.serves_stale(error)

    def _mark_stale(self, error: RegistryError, age: float) -> None:
        status = current_status()
        status.hit, status.forward = True, "stale"
        status.stale_seconds = age
        status.detail = error.code.lower()
        self._cache.meter.count(Count.STALE, "tag")
