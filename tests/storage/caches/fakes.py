"""Caches of descriptors for tests: redis in a dictionary, and one in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import (
    Deferred,
    succeed,
)
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from txregistry.flow.redis.client import (
    Redis,
    RedisSettings,
)
from txregistry.interfaces.blobs import IBlobStatter, IDescriptorCache
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.storage.caches.descriptors import (
    MemoryDescriptors,
)

Answer = Deferred[Any]


@attrs.define(eq=False, slots=False)
class Commands:
    """Redis in a dictionary, as its library offers its commands."""

    hashes: dict[str, dict[str, str]] = attrs.field(factory=dict)
    sets: dict[str, set[str]] = attrs.field(factory=dict)
    ends: dict[str, int] = attrs.field(factory=dict)
    asked: int = 0

    def sismember(self, key: str, member: str) -> Answer:
        return succeed(member in self.sets.get(key, ()))

    def sadd(self, key: str, member: str) -> Answer:
        self.sets.setdefault(key, set()).add(member)
        return succeed(1)

    def srem(self, key: str, members: list[str]) -> Answer:
        self.asked += 1
        self.sets.get(key, set()).difference_update(members)
        return succeed(1)

    def hmget(self, key: str, fields: list[str]) -> Answer:
        return succeed([self.hashes.get(key, {}).get(field) for field in fields])

    def hmset(self, key: str, fields: dict[str, str]) -> Answer:
        self.hashes.setdefault(key, {}).update(fields)
        return succeed("OK")

    def expire(self, key: str, seconds: int) -> Answer:
        self.ends[key] = seconds
        return succeed(1)

    def delete(self, keys: list[str]) -> Answer:
        self.asked += 1
        return succeed(sum(self.hashes.pop(key, None) is not None for key in keys))


@attrs.define(eq=False)
class Factory:
    """Connections that are there, or not."""

    handler: Commands
    size: int = 0
    endpoint: Any = None
    reconnects: int = 0

    def reconnect(self) -> None:
        self.reconnects += 1

    def startConnecting(self, endpoint: Any) -> None:
        self.endpoint = endpoint
        self.size = 2

    def abort(self) -> Deferred[None]:
        self.size = 0
        return succeed(None)


class FakeRedis(Redis):
    """The real client over the commands in a dictionary."""

    def __init__(self, clock: Clock) -> None:
        self.commands = Commands()
        super().__init__("endpoint", RedisSettings(answer_seconds=3.0), clock)
        self.startService()

    def _make_factory(self) -> Factory:
        return Factory(self.commands)

    @property
    def factory(self) -> Factory:
        return self._factory


def in_memory(case: SynchronousTestCase) -> IDescriptorCache:
    return MemoryDescriptors(100)


@implementer(IBlobStatter)
@attrs.define(eq=False)
class Looking:
    """Looks where it is told to."""

    stat: Callable[[Digest], Deferred[Descriptor]]
