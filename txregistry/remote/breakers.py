"""Circuit breakers: pause requests for what has failed several times in a row.

Note [Scope of a failure]. A failure of one path or host never blocks another. A path
that is answered by 5xx is paused alone. An origin is paused only if it cannot be
reached: a response with any status shows that it can. For the upstream's own origin, a
probe of ``/v2/`` has to fail as well, so that client requests that hang or break do not
block those of others.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.discard import discard
from txregistry.flow.flights import Flights
from txregistry.remote.circuit import Circuit, Circuits, CircuitVerdict
from txregistry.remote.failures import Unreachable
from txregistry.remote.origin import Origin
from txregistry.spec.errors import (
    UpstreamFailed,
    UpstreamTimeout,
    UpstreamUnavailable,
)

#: How often a request is sent before the client gets the error.
ATTEMPTS = 3

_OUTAGE = frozenset((500, 502, 503, 504))


@implementer(IAgent)
@attrs.define(eq=False)
class PathBreaker:
    """Pause requests for a path that is repeatedly answered by 5xx."""

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
        """Send a request.

        :return: fires with the response. Fails as the agent inside, or at once with
            ``UpstreamUnavailable`` while the path is paused.
        """
        if method == b"HEAD":
            # The upstream may just not support HEAD; only GET counts.
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
    """Pause requests to an origin that cannot be reached.

    :param upstream: the base URL of the upstream. Its ``/v2/`` is the probe that opens
        and closes its circuit.
    """

    _agent: IAgent
    _clock: IReactorTime
    _upstream: str
    _circuit: Circuit = attrs.field(
        factory=lambda: Circuit(opens_by_probe=True, threshold=5 * ATTEMPTS)
    )
    _others: Circuits = attrs.field(factory=Circuits)
    _probes: Flights[Origin, bool] = attrs.field(factory=Flights)

    @property
    def paused_seconds(self) -> float:
        """Return the seconds until the upstream is asked again; 0 if it is asked."""
        return self._circuit.retry_after(self._clock.seconds())

    @property
    def is_failing(self) -> bool:
        """Tell whether the last request could not reach the upstream."""
        return self._circuit.has_failed

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        """Send a request.

        :return: fires with the response. Fails as the agent inside, or at once with
            ``UpstreamUnavailable`` while the origin is paused.
        """
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
            # A broken connection is retried ATTEMPTS times outside, a timeout never.
            weight = ATTEMPTS if isinstance(error, UpstreamTimeout) else 1
            self._circuit.failed(self._clock.seconds(), weight)
            raise
        self._circuit.succeeded()
        return response

    @deferred
    async def _probe(self) -> bool:
        """Fire with whether the upstream can be reached, as any response shows."""
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
            # A timeout or a broken connection may be about this path only.
            self._others.abandoned(origin)
            raise
        self._others.succeeded(origin)
        return response


def _unavailable(origin: Origin, wait: float, **more: str) -> UpstreamUnavailable:
    detail = {"upstream": origin.authority, "reason": "failed repeatedly", **more}
    return UpstreamUnavailable(detail, wait)
