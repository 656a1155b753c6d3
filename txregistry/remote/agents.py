"""How the upstream is asked: agents nested as decorators, one concern each.

From the outside in: breaker, retry, redirects, authentication, time limit,
identity encoding, and twisted's own agent at the core.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote, urljoin

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as TimeIsUp
from twisted.internet.error import (
    ConnectError,
    ConnectionClosed,
    DNSLookupError,
)
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web.client import RequestTransmissionFailed, ResponseFailed
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.discard import discard
from txregistry.flow.retry import backoff, retry
from txregistry.interfaces.observe import IMeter
from txregistry.remote.answers import parse_retry_after
from txregistry.remote.body import header
from txregistry.remote.circuit import Circuit
from txregistry.remote.origin import Origin
from txregistry.spec.errors import (
    UpstreamFailed,
    UpstreamTimeout,
    UpstreamUnavailable,
)

#: Redirects followed before the upstream is taken to run in circles.
MAX_REDIRECTS = 5

#: What may stand in a URL as it is (RFC 3986, 2); anything else is quoted.
_URL_CHARACTERS = "%/:=&?~#+!$,;'@()*[]-._"

_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_PASSING = frozenset((429, 502, 503, 504))
_OUTAGE = frozenset((500, 502, 503, 504))

#: A wait that the upstream asks for is obeyed up to this many seconds while a
#: client is waiting; a longer one is told to the client.
MAX_OBEYED_SECONDS = 3.0


@implementer(IAgent)
@attrs.define(eq=False)
class IdentityAgent:
    """Ask for the bytes as they are: a coding would change length and offsets."""

    _agent: IAgent

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        """Ask without offering any content coding."""
        own = Headers() if headers is None else headers.copy()
        own.setRawHeaders(b"Accept-Encoding", [b"identity"])
        return self._agent.request(method, uri, own, bodyProducer)


@implementer(IAgent)
@attrs.define(eq=False)
class TimedAgent:
    """Turn silence and broken connections into errors that name the upstream."""

    _agent: IAgent
    _clock: IReactorTime
    _seconds: float
    _meter: IMeter

    @deferred
    async def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> IResponse:
        """Ask; fail with ``UpstreamTimeout`` or ``UpstreamFailed``."""
        host = Origin.of(uri.decode("ascii")).authority
        began, status = self._clock.seconds(), "error"
        try:
            asked = self._agent.request(method, uri, headers, bodyProducer)
            response = await asked.addTimeout(self._seconds, self._clock, _late)
            status = str(response.code)
            return response
        except (TimeIsUp, ConnectTimeout) as error:
            raise UpstreamTimeout({"upstream": host}) from error
        except CancelledError:
            raise
        except (ConnectError, DNSLookupError) as error:
            facts = {"upstream": host, "reason": "cannot be reached"}
            raise UpstreamFailed(facts) from error
        except (ResponseFailed, RequestTransmissionFailed, ConnectionClosed) as error:
            if _was_cancelled(error):
                raise CancelledError() from error
            facts = {"upstream": host, "reason": "broke the connection"}
            raise UpstreamFailed(facts) from error
        except (OSError, ValueError) as error:
            facts = {"upstream": host, "reason": "cannot be reached"}
            raise UpstreamFailed(facts) from error
        finally:
            seconds = self._clock.seconds() - began
            self._meter.upstream(method.decode("ascii"), status, seconds)


def _late(result: object, seconds: float) -> IResponse:
    # The agent wraps the cancellation in errors of its own; it was the time limit.
    raise TimeIsUp(seconds, "no answer")


def _was_cancelled(error: BaseException) -> bool:
    reasons: list[Failure] = getattr(error, "reasons", [])
    return any(reason.check(CancelledError) for reason in reasons)


@implementer(IAgent)
@attrs.define(eq=False)
class RedirectAgent:
    """Follow redirects here, so that no client is sent elsewhere.

    The agent inside decides by origin who gets credentials; none travel in the
    headers from here. A redirect from https to http is refused.
    """

    _agent: IAgent
    _clock: IReactorTime

    @deferred
    async def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> IResponse:
        """Ask, and ask where we are sent."""
        here = uri.decode("ascii")
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._agent.request(
                method, here.encode("ascii"), headers, bodyProducer
            )
            location = header(response, "Location")
            if response.code not in _REDIRECTS or location is None:
                return response
            discard(response, self._clock)
            here = _follow(here, location)
        raise UpstreamFailed(
            {"upstream": _host(here), "reason": "redirects in circles"}
        )


def _follow(here: str, location: str) -> str:
    there = quote(urljoin(here, location), safe=_URL_CHARACTERS)
    try:
        old, new = Origin.of(here), Origin.of(there)
        there.encode("ascii")
    except ValueError as error:
        facts = {"upstream": _host(here), "reason": "redirects to no URL"}
        raise UpstreamFailed(facts) from error
    if (old.scheme, new.scheme) == ("https", "http"):
        facts = {"upstream": old.authority, "reason": "redirects from https to http"}
        raise UpstreamFailed(facts)
    return there


def _host(url: str) -> str:
    return Origin.of(url).authority


class _Passing(Exception):
    """An answer that may be another one in a moment."""

    def __init__(self, response: IResponse) -> None:
        super().__init__(response.code)
        self.response = response


@implementer(IAgent)
@attrs.define(eq=False)
class RetryAgent:
    """Ask again when the failure looks like one that passes.

    Not after a time limit: whoever waits has waited long enough.
    """

    _agent: IAgent
    _clock: IReactorTime
    _spread: Callable[[], float]
    _attempts: int = 2

    @deferred
    async def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> IResponse:
        """Ask, up to three times."""

        @deferred
        async def attempt() -> IResponse:
            response = await self._agent.request(method, uri, headers, bodyProducer)
            if response.code in _PASSING:
                raise _Passing(response)
            return response

        delays = backoff(self._attempts, 0.2, 2.0, self._spread)
        try:
            return await retry(self._clock, delays, attempt, self._again)
        except _Passing as last:
            return last.response

    def _again(self, error: BaseException, planned: float) -> float | None:
        if isinstance(error, _Passing):
            asked = parse_retry_after(
                header(error.response, "Retry-After"), self._clock.seconds()
            )
            if asked is not None and asked > MAX_OBEYED_SECONDS:
                return None
            if asked is None and error.response.code == 429:
                return None
            discard(error.response, self._clock)
            return max(planned, asked or 0.0)
        passing = isinstance(error, UpstreamFailed)
        return planned if passing and not isinstance(error, UpstreamTimeout) else None


@implementer(IAgent)
@attrs.define(eq=False)
class BreakerAgent:
    """Leave an upstream alone that has failed several times in a row."""

    _agent: IAgent
    _clock: IReactorTime
    _circuit: Circuit = attrs.field(factory=Circuit)

    @deferred
    async def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> IResponse:
        """Ask, or fail at once with ``UpstreamUnavailable``."""
        if not self._circuit.admits(self._clock.seconds()):
            facts = {"upstream": _host(uri.decode("ascii")), "reason": "failing"}
            wait = self._circuit.retry_after(self._clock.seconds())
            raise UpstreamUnavailable(facts, wait)
        try:
            response = await self._agent.request(method, uri, headers, bodyProducer)
        except UpstreamFailed:
            self._circuit.failed(self._clock.seconds())
            raise
        except BaseException:
            self._circuit.abandoned()
            raise
        if response.code in _OUTAGE:
            self._circuit.failed(self._clock.seconds())
        else:
            self._circuit.succeeded()
        return response
