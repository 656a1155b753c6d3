"""Which of several nodes downloads a blob: claims in redis."""

from __future__ import annotations

import uuid
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.flow.context import background
from txregistry.flow.deferred import deferred
from txregistry.flow.flights import Flights
from txregistry.flow.redis.client import Redis, RedisAway
from txregistry.interfaces.fills import IDownloadClaims
from txregistry.spec.digest import Digest

#: Seconds for which a claim is good that nobody renews, and between two renewals.
CLAIM_SECONDS, RENEW_SECONDS = 15.0, 5.0

#: Seconds after which a node that waits for another one downloads itself: its clients
#: have got nothing yet.
WAIT_SECONDS = 60.0

#: Seconds between two looks whether the other node has ended, at first and at most.
_FIRST_LOOK, _LAST_LOOK = 0.1, 1.0

#: Take a claim that is free or ours, and renew it. One without an end is none.
_TAKE = """
local holder = redis.pcall('GET', KEYS[1])
if holder ~= ARGV[1] and redis.call('PTTL', KEYS[1]) > 0 then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""

#: Tell whether a claim is free. Who only waits takes none: others would wait for it.
_IS_FREE = "return redis.call('PTTL', KEYS[1]) > 0 and 0 or 1"

#: Give a claim back that is ours.
_DROP = """
if redis.pcall('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
"""


def _node() -> str:
    return str(uuid.uuid4())


@implementer(IDownloadClaims)
@attrs.define(eq=False, slots=False)
class RedisClaims(Service):
    """Claims that lapse unless their node renews them.

    While redis does not answer, each node downloads for itself.

    :param name: of this process.
    """

    _redis: Redis
    _clock: IReactorTime
    _name: str = attrs.field(factory=_node)
    _held: set[Digest] = attrs.field(factory=set)
    _waits: Flights[Digest, bool] = attrs.field(factory=Flights)
    _loop: LoopingCall = attrs.field(init=False)
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._loop = LoopingCall(self._renew)
        self._loop.clock = self._clock

    def startService(self) -> None:
        """Begin to renew."""
        super().startService()
        self._loop.start(RENEW_SECONDS, now=False)

    def stopService(self) -> None:
        """Renew no more; what is left lapses."""
        super().stopService()
        self._loop.stop()

    def acquire(self, digest: Digest) -> Deferred[bool]:
        """Wait for other nodes; see :class:`IDownloadClaims`."""
        return self._waits.join(digest, lambda: self._acquire(digest))

    def hold(self, digest: Digest) -> None:
        """Renew a claim from now on."""
        self._held.add(digest)

    def release(self, digest: Digest) -> None:
        """Give a claim back."""
        self._held.discard(digest)
        self._give_back(digest)

    @deferred
    async def _acquire(self, digest: Digest) -> bool:
        until, pause = self._clock.seconds() + WAIT_SECONDS, _FIRST_LOOK
        try:
            is_first = await self._take(digest)
        except CancelledError:
            # Redis may have been told already.
            if digest not in self._held:
                self._give_back(digest)
            raise
        while not is_first and self._clock.seconds() < until:
            await deferLater(self._clock, pause)
            if await self._is_free(digest):
                return False
            pause = min(2 * pause, _LAST_LOOK)
        if not is_first:
            self._log.info(
                "blob {digest} is downloaded here as well: another node has not ended"
                " in {seconds:g} s",
                digest=str(digest),
                seconds=WAIT_SECONDS,
            )
        return True

    def _take(self, digest: Digest) -> Deferred[bool]:
        return self._is_true(_TAKE, digest, str(int(CLAIM_SECONDS * 1000)))

    def _is_free(self, digest: Digest) -> Deferred[bool]:
        return self._is_true(_IS_FREE, digest)

    @deferred
    async def _is_true(self, script: str, digest: Digest, *words: str) -> bool:
        try:
            return str(await self._ask(script, digest, *words)) == "1"
        except RedisAway:
            return True

    @background("claims")
    @deferred
    async def _give_back(self, digest: Digest) -> None:
        try:
            await self._ask(_DROP, digest)
        except RedisAway:
            return  # it lapses

    @background("claims")
    @deferred
    async def _renew(self) -> None:
        for digest in list(self._held):
            if digest in self._held:  # it was not released meanwhile
                await self._take(digest)

    def _ask(self, script: str, digest: Digest, *words: str) -> Deferred[Any]:
        key = f"txregistry::download::{digest}"
        arguments = [self._name, *words]
        return self._redis.ask(lambda redis: redis.eval(script, [key], arguments))
