"""Agents that leave alone for a while what has failed several times in a row.

Note [Who may know what]. What one path or one host does never decides for another. An
origin is left alone only when it cannot be reached: whatever it answers, it is there.
Of the upstream's own origin that is found out by a request of ours, so that no question
of a client that hangs or breaks speaks for the others. That a path is answered by 5xx
counts for this path alone.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from txregistry.flow.deferred import Flights, deferred
from txregistry.flow.discard import discard
from txregistry.remote.circuit import Circuit, Circuits, CircuitVerdict
from txregistry.remote.failures import Unreachable
from txregistry.remote.origin import Origin
from txregistry.spec.errors import (
    UpstreamFailed,
    UpstreamTimeout,
    UpstreamUnavailable,
)

#: How often a question is asked before a client is told that it has failed.
ATTEMPTS = 3

_OUTAGE = frozenset((500, 502, 503, 504))


@implementer(IAgent)
@attrs.define(eq=False)
class PathBreaker:
    """Spare the upstream a path that it keeps answering by 5xx."""

    _agent: IAgent
    _clock: IReactorTime
    _circuits: Circuits = attrs.field(factory=Circuits)

    @deferred
    async def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> IResponse:
        """Ask, or fail at once with ``UpstreamUnavailable``."""
        if method == b"HEAD":
            # It may be HEAD that is not known: it says nothing of GET, which decides.
            return await self._agent.request(method, uri, headers, bodyProducer)
        url = uri.decode("ascii")
        path = urlsplit(url).path
        now = self._clock.seconds()
        if self._circuits.judge(path, now) is CircuitVerdict.REFUSE:
            wait = self._circuits.retry_after(path, now)
            raise _unavailable(Origin.of(url), wait, path=path)
        try:
            response = await self._agent.request(method, uri, headers, bodyProducer)
        except BaseException:
            self._circuits.abandoned(path)
            raise
        if response.code in _OUTAGE:
            self._circuits.failed(path, self._clock.seconds())
        else:
            self._circuits.succeeded(path)
        return response


@implementer(IAgent)
@attrs.define(eq=False)
class OriginBreaker:
    """Leave alone an origin that cannot be reached.

    :param upstream: the URL of the upstream, whose ``/v2/`` is asked before its circuit
        opens, and closes again.
    """

    _agent: IAgent
    _clock: IReactorTime
    _upstream: str
    _circuit: Circuit = attrs.field(
        factory=lambda: Circuit(opens_by_probe=True, threshold=5 * ATTEMPTS)
    )
    _others: Circuits = attrs.field(factory=Circuits)
    _probes: Flights[Origin, bool] = attrs.field(factory=Flights)

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        """Ask, or fail at once with ``UpstreamUnavailable``."""
        origin = Origin.of(uri.decode("ascii"))
        if origin == Origin.of(self._upstream):
            return self._request_upstream(origin, method, uri, headers, bodyProducer)
        return self._request_other(origin, method, uri, headers, bodyProducer)

    @deferred
    async def _request_upstream(
        self,
        origin: Origin,
        method: bytes,
        uri: bytes,
        headers: Headers | None,
        body: IBodyProducer | None,
    ) -> IResponse:
        verdict = self._circuit.judge(self._clock.seconds())
        if verdict is CircuitVerdict.PROBE and await self._probes.join(
            origin, self._probe
        ):
            verdict = CircuitVerdict.ASK
        if verdict is not CircuitVerdict.ASK:
            raise _unavailable(origin, self._circuit.retry_after(self._clock.seconds()))
        try:
            response = await self._agent.request(method, uri, headers, body)
        except UpstreamFailed as error:
            # What breaks is asked again by those outside, what hangs is not.
            weight = ATTEMPTS if isinstance(error, UpstreamTimeout) else 1
            self._circuit.failed(self._clock.seconds(), weight)
            raise
        self._circuit.succeeded()
        return response

    @deferred
    async def _probe(self) -> bool:
        """Fire with whether the upstream can be reached; any answer says that."""
        url = f"{self._upstream}/v2/".encode("ascii")
        try:
            response = await self._agent.request(b"GET", url)
        except UpstreamFailed:
            self._circuit.probe_failed(self._clock.seconds())
            return False
        except BaseException:
            self._circuit.abandoned()
            raise
        discard(response, self._clock)
        self._circuit.succeeded()
        return True

    @deferred
    async def _request_other(
        self,
        origin: Origin,
        method: bytes,
        uri: bytes,
        headers: Headers | None,
        body: IBodyProducer | None,
    ) -> IResponse:
        now = self._clock.seconds()
        if self._others.judge(origin, now) is CircuitVerdict.REFUSE:
            raise _unavailable(origin, self._others.retry_after(origin, now))
        try:
            response = await self._agent.request(method, uri, headers, body)
        except Unreachable:
            self._others.failed(origin, self._clock.seconds())
            raise
        except BaseException:
            # Slow or broken off: that is the path's own affair.
            self._others.abandoned(origin)
            raise
        self._others.succeeded(origin)
        return response


def _unavailable(origin: Origin, wait: float, **more: str) -> UpstreamUnavailable:
    detail = {"upstream": origin.authority, "reason": "failing", **more}
    return UpstreamUnavailable(detail, wait)
