"""A limit on concurrent requests to an upstream, with a fair queue."""

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
from txregistry.flow.demand import current_demand
from txregistry.flow.fairqueue import DemandQueue
from txregistry.remote.origin import Origin
from txregistry.remote.responses import WatchedResponse
from txregistry.spec.errors import UpstreamUnavailable

#: Most requests that wait for a slot.
MAX_WAITING = 10_000

#: Longest wait for a slot in seconds. It is long, as large layers take long on a slow
#: line, and a client that waits is served earlier than one that has to retry.
MAX_WAIT = 1800.0

_SMALL = (b"/manifests/", b"/tags/", b"/referrers/", b"/_catalog")


@attrs.define(eq=False)
class RequestSlots:
    """Slots for requests; clients take turns, each in the order of its requests.

    What a client waits for comes before what nobody waits for.

    :param limit: the number of slots; if there are several, one is reserved for small
        requests.
    """

    _limit: int
    _taken: int = 0
    _small: DemandQueue[Deferred[None]] = attrs.field(factory=DemandQueue)
    _large: DemandQueue[Deferred[None]] = attrs.field(factory=DemandQueue)

    def acquire(self, small: bool, is_resume: bool = False) -> Deferred[None]:
        """Wait for a slot.

        :param small: the response is small.
        :param is_resume: resumes a download, so it is served before others.
        :return: fires when the slot is acquired, which :meth:`release` ends. Cancelling
            leaves the queue.
        """
        queue = self._small if small else self._large
        waiter: Deferred[None] = Deferred(queue.remove)
        queue.add(client_share.get(), waiter, current_demand.get(), is_resume)
        self._serve()
        return waiter

    def release(self) -> None:
        """Release a slot, and serve the next request."""
        self._taken -= 1
        self._serve()

    @property
    def waiting(self) -> int:
        """Return the number of waiting requests."""
        return len(self._small) + len(self._large)

    def _serve(self) -> None:
        while queue := self._next():
            self._taken += 1
            queue.pop().callback(None)

    def _next(self) -> DemandQueue[Deferred[None]] | None:
        free = self._limit - self._taken
        # A single slot is not reserved.
        served = ((self._small, 0), (self._large, min(1, self._limit - 1)))
        ready = [queue for queue, kept in served if queue and free > kept]
        awaited = [queue for queue in ready if queue.is_awaited]
        return next(iter((*awaited, *ready)), None)


@implementer(IAgent)
@attrs.define(eq=False)
class SlotAgent:
    """Send a request in a slot, and hold that until the body has ended."""

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
        """Wait for a slot and send a request.

        :return: fires with the response. Fails as the agent inside, or with
            ``UpstreamUnavailable`` if more than :data:`MAX_WAITING` requests wait, or
            this one for :data:`MAX_WAIT` seconds.
        """
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
    """Return whether a response may be large: of a blob, or from an object store."""
    parts = urlsplit(uri)
    if method != b"GET" or parts.path.endswith(b"/v2/"):
        return False
    if b"client_id=" in parts.query:
        return False  # a request for a token
    return not any(part in parts.path for part in _SMALL)


def _full(uri: bytes) -> UpstreamUnavailable:
    host = Origin.of(uri.decode("ascii")).authority
    return UpstreamUnavailable(
        {"upstream": host, "reason": "too many requests are waiting"}, 5.0
    )


def _raise_full(uri: bytes) -> None:
    raise _full(uri)
