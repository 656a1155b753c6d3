"""How many connections an upstream has to bear at once, and who is next."""

from __future__ import annotations

from urllib.parse import urlsplit

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from txregistry.flow.context import client_share
from txregistry.flow.deferred import deferred
from txregistry.flow.fairqueue import FairQueue
from txregistry.remote.origin import Origin
from txregistry.remote.responses import WatchedResponse
from txregistry.spec.errors import UpstreamUnavailable

#: Questions that wait for a place, at most.
MAX_WAITING = 10_000

#: Seconds that one waits for a place, at most. Large layers take long on a slow line,
#: and whoever waits gets there sooner than whoever is sent away and comes back.
MAX_WAIT = 1800.0

_SMALL = (b"/manifests/", b"/tags/", b"/referrers/", b"/_catalog")


@attrs.define(eq=False)
class RequestSlots:
    """RequestSlots for questions; clients take turns, each in the order of asking.

    :param limit: how many there are; of these, one is kept for what is small.
    """

    _limit: int
    _taken: int = 0
    _small: FairQueue[Deferred[None]] = attrs.field(factory=FairQueue)
    _large: FairQueue[Deferred[None]] = attrs.field(factory=FairQueue)

    def acquire(self, small: bool, is_resume: bool = False) -> Deferred[None]:
        """Fire when there is a place. Cancelling gives up.

        :param is_resume: with what has begun already: it comes before what has not.
        """
        queue = self._small if small else self._large
        waiter: Deferred[None] = Deferred(queue.remove)
        queue.add(client_share.get(), waiter, is_resume)
        self._serve()
        return waiter

    def release(self) -> None:
        """Let somebody else have a place."""
        self._taken -= 1
        self._serve()

    @property
    def waiting(self) -> int:
        """Count those who wait."""
        return len(self._small) + len(self._large)

    def _serve(self) -> None:
        while queue := self._next():
            self._taken += 1
            queue.pop().callback(None)

    def _next(self) -> FairQueue[Deferred[None]] | None:
        free = self._limit - self._taken
        if free > 0 and self._small:
            return self._small
        # Where there is only one place, it is everybody's.
        if free > min(1, self._limit - 1) and self._large:
            return self._large
        return None


@implementer(IAgent)
@attrs.define(eq=False)
class SlotAgent:
    """Ask when there is a place, and keep it until the body of the answer has ended."""

    _agent: IAgent
    _clock: IReactorTime
    _slots: RequestSlots

    @deferred
    async def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> IResponse:
        """Ask; fail with ``UpstreamUnavailable`` if too many wait, or for too long."""
        if self._slots.waiting >= MAX_WAITING:
            raise _full(uri)
        small = not _is_large(method, uri)
        is_resume = headers is not None and headers.hasHeader(b"Range")
        await self._slots.acquire(small, is_resume).addTimeout(
            MAX_WAIT, self._clock, lambda *_: _raise_full(uri)
        )
        try:
            response = await self._agent.request(method, uri, headers, bodyProducer)
        except BaseException:
            self._slots.release()
            raise
        released_at_end: IResponse = WatchedResponse(response, self._slots.release)
        return released_at_end


def _is_large(method: bytes, uri: bytes) -> bool:
    """Tell what may take long: what is got from under ``blobs``, or from a storage."""
    parts = urlsplit(uri)
    if method != b"GET" or parts.path.endswith(b"/v2/"):
        return False
    if b"client_id=" in parts.query:
        return False  # so is a token service asked
    return not any(part in parts.path for part in _SMALL)


def _full(uri: bytes) -> UpstreamUnavailable:
    host = Origin.of(uri.decode("ascii")).authority
    return UpstreamUnavailable({"upstream": host, "reason": "too many wait"}, 5.0)


def _raise_full(uri: bytes) -> None:
    raise _full(uri)
