"""Descriptors in redis, shared with other registries of the same storage.

The keys are those of Docker distribution, of every version that has them:
``blobs::<digest>``, ``repository::<name>::blobs`` and
``repository::<name>::blobs::<digest>``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import Any

import attrs
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.flow.context import background
from txregistry.flow.deferred import deferred
from txregistry.flow.redis.client import RETRY_SECONDS, Redis, RedisAway
from txregistry.interfaces.blobs import (
    CacheAway,
    IBlobDescriptorService,
    IDescriptorCache,
)
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobUnknown, DigestInvalid
from txregistry.spec.mediatypes import OCTET_STREAM
from txregistry.spec.reference import RepositoryName

#: Most digits of a length in bytes.
_MAX_SIZE_DIGITS = 18

#: Seconds after which an entry expires unless rewritten: others may leave stale ones.
ENTRY_SECONDS = 24 * 3600

#: Deletions owed to redis; beyond this the oldest is given up.
MAX_OWED = 10_000

#: Owed deletions that are sent at once.
_PAID_AT_ONCE = 500

#: A deletion that redis is owed, in one repository or in all.
Owed = tuple[RepositoryName | None, Digest]


@implementer(IDescriptorCache)
@attrs.define(eq=False)
class RedisDescriptors:
    """A cache in redis; while redis does not answer, nothing is cached.

    A deletion that could not be sent to redis is *owed*: until all owed deletions are
    sent, no entry is trusted. They are lost when the process ends.
    """

    _redis: Redis
    _clock: IReactorTime
    is_shared: bool = True
    _owed: OrderedDict[Owed, None] = attrs.field(factory=OrderedDict)
    _retry: IDelayedCall | None = None
    _gave_up: bool = False
    _log = Logger()

    def repository(self, name: RepositoryName) -> IBlobDescriptorService:
        """Give the cache of one repository."""
        return RedisRepository(self, name)

    def forget(self, digest: Digest) -> Deferred[None]:
        """Forget a digest in all repositories."""
        return self.clear(None, digest)

    @property
    def owes(self) -> int:
        """Count the deletions that redis is owed."""
        return len(self._owed)

    @deferred
    async def clear(self, name: RepositoryName | None, digest: Digest) -> None:
        """Forget a digest in one repository, or in all; never fails.

        If redis does not answer, it is told later.
        """
        owed = (name, digest)
        self._owe(owed)
        try:
            await self._pay([owed])
        except RedisAway:
            return
        finally:
            if owed in self._owed:  # even if the caller has cancelled
                self._pay_later()

    @deferred
    async def find(self, name: RepositoryName, digest: Digest) -> Descriptor | None:
        """Fire with the cached descriptor; fail with ``RedisAway``."""
        if self._owed:
            return None
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
        is_member, content, kind = answers
        (media_type,) = _fields_of(kind, 1)
        return _read(_fields_of(content, 3), media_type) if is_member else None

    @deferred
    async def remember(
        self, name: RepositoryName, digest: Digest, descriptor: Descriptor
    ) -> None:
        """Remember a descriptor; never fails."""
        if self._owed:
            return
        kind = {"mediatype": descriptor.media_type}
        try:
            await self._redis.ask(
                lambda redis: gatherResults(
                    [
                        *_put(redis, _content(digest), _fields(descriptor)),
                        *_put(redis, _entry(name, digest), kind),
                        redis.sadd(_members(name), str(digest)),
                        redis.expire(_members(name), ENTRY_SECONDS),
                    ],
                    consumeErrors=True,
                )
            )
        except RedisAway:
            return  # the next lookup reads the storage again

    def _owe(self, owed: Owed) -> None:
        self._owed[owed] = None
        if len(self._owed) > MAX_OWED:
            self._owed.popitem(last=False)
            if not self._gave_up:
                self._log.warn(
                    "redis is down for too long: it keeps entries of deleted blobs"
                )
            self._gave_up = True

    def _pay_later(self) -> None:
        if self._retry is None:
            self._retry = self._clock.callLater(RETRY_SECONDS, self._pay_all)

    @background("redis")
    @deferred
    async def _pay_all(self) -> None:
        self._retry = None
        try:
            while self._owed:
                await self._pay(list(islice(self._owed, _PAID_AT_ONCE)))
        except RedisAway:
            self._pay_later()
            return
        self._gave_up = False

    @deferred
    async def _pay(self, owed: Sequence[Owed]) -> None:
        members: dict[RepositoryName, list[str]] = {}
        for name, digest in owed:
            if name is not None:
                members.setdefault(name, []).append(str(digest))
        # The membership goes first: an entry that is left over then grants nothing.
        for name, digests in members.items():
            await self._redis.ask(partial(_remove, _members(name), digests))
        keys = [_content(digest) for _, digest in owed]
        keys += [_entry(name, digest) for name, digest in owed if name is not None]
        await self._redis.ask(lambda redis: redis.delete(keys))
        for paid in owed:
            self._owed.pop(paid, None)


@implementer(IBlobDescriptorService)
@attrs.define(eq=False)
class RedisRepository:
    """One repository's view of :class:`RedisDescriptors`."""

    _all: RedisDescriptors
    _name: RepositoryName

    @deferred
    async def stat(self, digest: Digest) -> Descriptor:
        """Fire with the cached descriptor; fail with ``BlobUnknown`` without one."""
        try:
            found = await self._all.find(self._name, digest)
        except RedisAway as error:
            raise CacheAway(str(digest)) from error
        if found is None:
            raise BlobUnknown(str(digest))
        return found

    @deferred
    async def set_descriptor(self, digest: Digest, descriptor: Descriptor) -> None:
        """Remember a descriptor, also under its own digest if that differs."""
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


def _remove(key: str, members: Sequence[str], redis: Any) -> Deferred[Any]:
    removed: Deferred[Any] = redis.srem(key, members)
    return removed


def _fields_of(answer: object, count: int) -> Sequence[object]:
    """Give exactly the requested number of fields, whatever the answer is."""
    if isinstance(answer, list) and len(answer) == count:
        return answer
    return [None] * count


def _read(fields: Sequence[object], media_type: object) -> Descriptor | None:
    """Parse an entry that any program may have written."""
    digest, size, kind = (field if _is_plain(field) else None for field in fields)
    if not isinstance(digest, str) or not isinstance(size, str):
        return None
    if not size.isdecimal() or len(size) > _MAX_SIZE_DIGITS:
        return None
    try:
        canonical = Digest.parse(digest)
    except DigestInvalid:
        return None
    named = media_type if _is_plain(media_type) else kind
    return Descriptor(canonical, int(size), str(named or OCTET_STREAM))


def _is_plain(field: object) -> bool:
    """Tell whether a value is text that a header can hold."""
    return isinstance(field, str) and field.isascii() and field.isprintable()
