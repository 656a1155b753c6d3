"""What an upstream says of its rate limits, read from its answers."""

from __future__ import annotations

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.interfaces.observe import IMeter
from txregistry.interfaces.ratelimit import IRateLimit
from txregistry.remote.body import header, retry_after
from txregistry.remote.origin import Origin
from txregistry.spec.ratelimit import Allowance, RatePolicy

_TOO_MANY_REQUESTS = 429


@implementer(IRateLimit)
@attrs.define(eq=False)
class RateLimit:
    """The allowance at one upstream.

    :param meter: told what the upstream says.
    """

    _clock: IReactorTime
    _meter: IMeter
    _policy: RatePolicy = RatePolicy()
    _allowance: Allowance = Allowance()
    _asked_at: float | None = None

    def follow(self, policy: RatePolicy) -> None:
        """Decide by another policy from now on."""
        self._policy = policy

    def forget(self) -> None:
        """Forget the allowance: it was that of others."""
        self._allowance, self._asked_at = Allowance(), None

    @property
    def known(self) -> Allowance:
        """Return what the upstream has last said."""
        return self._allowance

    @property
    def is_short(self) -> bool:
        """Tell whether questions have to be spared."""
        return self._policy.is_short(self._allowance, self._clock.seconds())

    def take(self) -> bool:
        """Decide about one question; see :class:`IRateLimit`."""
        now = self._clock.seconds()
        may_ask = self._policy.may_ask(self._allowance, self._asked_at, now)
        if may_ask:
            self._asked_at = now
        return may_ask

    def answered(self, response: IResponse) -> None:
        """Read the headers of an answer."""
        now, before = self._clock.seconds(), self._allowance
        limit = header(response, "ratelimit-limit")
        remaining = header(response, "ratelimit-remaining")
        self._allowance = before.seen(limit, remaining, now)
        if self._allowance is not before:
            self._meter.quota(self._allowance.limit, self._allowance.remaining)
        if response.code == _TOO_MANY_REQUESTS:
            seconds = retry_after(response, now)
            self._allowance = self._allowance.refused(seconds, now)
            self._meter.retry_after(seconds or 0.0)


@implementer(IAgent)
@attrs.define(eq=False)
class RateLimitAgent:
    """Read the rate limits from all answers of the upstream itself.

    :param upstream: its base URL. Storage and token services have limits of their own.
    """

    _agent: IAgent
    _upstream: str
    _limit: RateLimit

    @deferred
    async def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> IResponse:
        """Send a request; fires and fails as the agent inside."""
        response = await self._agent.request(method, uri, headers, bodyProducer)
        if Origin.of(uri.decode("ascii")) == Origin.of(self._upstream):
            self._limit.answered(response)
        return response
