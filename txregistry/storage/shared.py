"""Descriptors in redis, shared with other registries of the same storage.

The keys are those of Docker distribution, of every version that has them:
``blobs::<digest>``, ``repository::<name>::blobs`` and
``repository::<name>::blobs::<digest>``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred, DeferredLock, gatherResults
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.interfaces.blobs import IBlobDescriptorService, IDescriptorCache
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobUnknown, DigestInvalid
from txregistry.spec.mediatypes import OCTET_STREAM
from txregistry.spec.reference import RepositoryName
from txregistry.storage.redis import Redis, RedisAway

#: How long an entry stays that nobody writes again: others may leave stale ones.
ENTRY_SECONDS = 24 * 3600

#: What redis has to forget when it is back; beyond this the oldest is given up.
MAX_OWED = 10_000

#: What is to be forgotten, of one repository or of all.
Owed = tuple[RepositoryName | None, Digest]


@implementer(IDescriptorCache)
@attrs.define(eq=False)
class RedisDescriptors:
    """Remembers in redis, as long as it answers; without it nothing is remembered.

    What could not be forgotten while redis was away is forgotten before it is believed
    again.
    """

    _redis: Redis
    is_shared: bool = True
    _owed: OrderedDict[Owed, None] = attrs.field(factory=OrderedDict)
    _paying: DeferredLock = attrs.field(factory=DeferredLock)
    _log = Logger()

    def repository(self, name: RepositoryName) -> IBlobDescriptorService:
        """Give what remembers for one repository."""
        return RedisRepository(self, name)

    def forget(self, digest: Digest) -> Deferred[None]:
        """Forget a digest in all repositories."""
        return self.clear(None, digest)

    @deferred
    async def clear(self, name: RepositoryName | None, digest: Digest) -> None:
        """Forget a digest in one repository, or in all; never fails."""
        self._owed[name, digest] = None
        if len(self._owed) > MAX_OWED:
            self._owed.popitem(last=False)
            self._log.warn("redis is away for long: it keeps what has been deleted")
        try:
            await self._pay()
        except RedisAway:
            return  # and is told when it is back

    @deferred
    async def find(self, name: RepositoryName, digest: Digest) -> Descriptor | None:
        """Fire with what is remembered."""
        try:
            await self._pay()
            answers = await self._redis.ask(
                lambda redis: gatherResults(
                    [
                        redis.sismember(_members(name), str(digest)),
                        redis.hmget(_content(digest), ["digest", "size", "mediatype"]),
                        redis.hmget(_entry(name, digest), ["mediatype"]),
                    ],
                    consumeErrors=True,
                )
            )
        except RedisAway:
            return None
        is_member, content, (media_type,) = answers
        return _read(content, media_type) if is_member else None

    @deferred
    async def remember(
        self, name: RepositoryName, digest: Digest, descriptor: Descriptor
    ) -> None:
        """Remember a descriptor; never fails."""
        try:
            await self._pay()
            await self._redis.ask(
                lambda redis: gatherResults(
                    [
                        *_put(redis, _content(digest), _fields(descriptor)),
                        *_put(
                            redis,
                            _entry(name, digest),
                            {"mediatype": descriptor.media_type},
                        ),
                        redis.sadd(_members(name), str(digest)),
                        redis.expire(_members(name), ENTRY_SECONDS),
                    ],
                    consumeErrors=True,
                )
            )
        except RedisAway:
            return  # the next who asks looks at the storage again

    @deferred
    async def _pay(self) -> None:
        if self._owed:
            await self._paying.run(self._pay_all)

    @deferred
    async def _pay_all(self) -> None:
        while self._owed:
            name, digest = next(iter(self._owed))
            await self._clear(name, digest)
            self._owed.pop((name, digest), None)

    @deferred
    async def _clear(self, name: RepositoryName | None, digest: Digest) -> None:
        keys = [_content(digest)]
        if name is not None:
            # First who may see it: what is left over then grants nothing.
            await self._redis.ask(lambda r: r.srem(_members(name), str(digest)))
            keys.append(_entry(name, digest))
        await self._redis.ask(lambda redis: redis.delete(keys))


@implementer(IBlobDescriptorService)
@attrs.define(eq=False)
class RedisRepository:
    """One repository's view of :class:`RedisDescriptors`."""

    _all: RedisDescriptors
    _name: RepositoryName

    @deferred
    async def stat(self, digest: Digest) -> Descriptor:
        """Fire with what is remembered; fail with ``BlobUnknown`` otherwise."""
        found = await self._all.find(self._name, digest)
        if found is None:
            raise BlobUnknown(str(digest))
        return found

    @deferred
    async def set_descriptor(self, digest: Digest, descriptor: Descriptor) -> None:
        """Remember a descriptor, by its own digest too where this is another."""
        for known in {digest, descriptor.digest}:
            await self._all.remember(self._name, known, descriptor)

    def clear(self, digest: Digest) -> Deferred[None]:
        """Forget a digest."""
        return self._all.clear(self._name, digest)


def _content(digest: Digest) -> str:
    return f"blobs::{digest}"


def _members(name: RepositoryName) -> str:
    return f"repository::{name}::blobs"


def _entry(name: RepositoryName, digest: Digest) -> str:
    return f"repository::{name}::blobs::{digest}"


def _fields(descriptor: Descriptor) -> dict[str, str]:
    return {
        "digest": str(descriptor.digest),
        "size": str(descriptor.size),
        "mediatype": descriptor.media_type,
    }


def _put(redis: Any, key: str, fields: dict[str, str]) -> list[Deferred[Any]]:
    return [redis.hmset(key, fields), redis.expire(key, ENTRY_SECONDS)]


def _read(fields: Sequence[str | None], media_type: str | None) -> Descriptor | None:
    """Read what anybody may have written."""
    digest, size, kind = fields
    if digest is None or size is None or not size.isdecimal():
        return None
    try:
        canonical = Digest.parse(digest)
    except DigestInvalid:
        return None
    return Descriptor(canonical, int(size), media_type or kind or OCTET_STREAM)
