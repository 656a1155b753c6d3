"""How the upstream is asked: agents nested as decorators, one concern each.

From the outside in: breaker by path, retry, storage, redirects, authentication,
breaker by origin, places, new connections, time limit, identity, and Twisted's own
agent at the core.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from urllib.parse import quote, urljoin

import attrs
from OpenSSL import SSL
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
from txregistry.remote.addresses import is_api
from txregistry.remote.body import header, retry_after
from txregistry.remote.failures import ConnectTimedOut, StorageRefused, Unreachable
from txregistry.remote.origin import Origin
from txregistry.spec.errors import UpstreamFailed, UpstreamTimeout

#: Redirects followed before the upstream is taken to run in circles.
MAX_REDIRECTS = 10

#: What may stand in a URL as it is (RFC 3986, 2); anything else is quoted.
_URL_CHARACTERS = "%/:=&?~#+!$,;'@()*[]-._"

_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_PASSING = frozenset((429, 502, 503, 504))

#: What a storage says in the place of what it should give.
_REFUSALS = frozenset((400, 401, 403, 404, 405, 410, 501))

#: A wait that the upstream asks for is obeyed up to this many seconds while a
#: client is waiting; a longer one is told to the client.
MAX_OBEYED_SECONDS = 3.0


@implementer(IAgent)
@attrs.define(eq=False)
class IdentityAgent:
    """Say who asks, and ask for the bytes as they are.

    A coding would change length and offsets; and some upstreams refuse whoever does
    not say what it is.
    """

    _agent: IAgent
    _user_agent: str

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        """Ask without offering any content coding."""
        own = Headers() if headers is None else headers.copy()
        own.setRawHeaders(b"User-Agent", [self._user_agent.encode("ascii")])
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
        except CancelledError:
            raise
        except _ANTICIPATED as error:
            raise _told(error, host) from error
        finally:
            seconds = self._clock.seconds() - began
            self._meter.upstream(method.decode("ascii"), status, seconds)


_BROKEN = (ResponseFailed, RequestTransmissionFailed, ConnectionClosed)
_AWAY = (ConnectError, DNSLookupError, OSError, ValueError)
_ANTICIPATED = (TimeIsUp, ConnectTimeout, *_BROKEN, *_AWAY)


def _told(error: Exception, host: str) -> Exception:
    """Give what a failure to get an answer is called here."""
    if isinstance(error, TimeIsUp):
        return UpstreamTimeout({"upstream": host})
    if isinstance(error, ConnectTimeout):
        return ConnectTimedOut({"upstream": host})
    if isinstance(error, _BROKEN) and _was_cancelled(error):
        return CancelledError()
    if isinstance(error, _BROKEN) and not _is_tls(error):
        return UpstreamFailed({"upstream": host, "reason": "broke the connection"})
    return Unreachable({"upstream": host, "reason": "cannot be reached"})


def _is_tls(error: BaseException) -> bool:
    reasons: list[Failure] = getattr(error, "reasons", [])
    return any(reason.check(SSL.Error) for reason in reasons)


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

    What is said to one origin is no other's business: headers with credentials stay
    behind, and a body is sent to nobody else. A redirect from https to http is refused.
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
            there = _follow(here, location)
            if response.code == 303 and method != b"HEAD":
                method, bodyProducer = b"GET", None
            if Origin.of(here) != Origin.of(there):
                headers = _without_credentials(headers)
                _check_body(bodyProducer, here)
            here = there
        raise UpstreamFailed(
            {"upstream": _host(here), "reason": "redirects in circles"}
        )


def _without_credentials(headers: Headers | None) -> Headers | None:
    own = None if headers is None else headers.copy()
    if own is not None:
        own.removeHeader(b"Authorization")
    return own


def _check_body(body: IBodyProducer | None, here: str) -> None:
    if body is not None:
        facts = {"upstream": _host(here), "reason": "redirects a form elsewhere"}
        raise UpstreamFailed(facts)


def _follow(here: str, location: str) -> str:
    # As Latin-1, for what a server sends beyond ASCII is bytes to us.
    there = quote(
        urljoin(here, location), safe=_URL_CHARACTERS, encoding="latin-1"
    ).partition("#")[0]
    try:
        old, new = Origin.of(here), Origin.of(there)
    except ValueError as error:
        facts = {"upstream": _host(here), "reason": "redirects to no URL"}
        raise UpstreamFailed(facts) from error
    if (old.scheme, new.scheme) == ("https", "http"):
        facts = {"upstream": old.authority, "reason": "redirects from https to http"}
        raise UpstreamFailed(facts)
    return there


@implementer(IAgent)
@attrs.define(eq=False)
class StorageAgent:
    """Take no refusal of a storage for one of the registry.

    A registry sends us to a storage by a URL that is good for a moment, and to a
    replica that may lag. So what the storage refuses is a failure that may pass: it is
    asked for again at the registry.
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
        """Ask; fail with :class:`StorageRefused` if a storage refuses."""
        response = await self._agent.request(method, uri, headers, bodyProducer)
        there = response.request.absoluteURI
        if there is None or response.code not in _REFUSALS:
            return response
        if there == uri or is_api(there.decode("ascii")):
            return response
        discard(response, self._clock)
        facts = {
            "upstream": _host(there.decode("ascii")),
            "status": response.code,
            "reason": "storage refused",
        }
        raise StorageRefused(facts)


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
    _attempts: int

    @deferred
    async def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> IResponse:
        """Ask, up to ``attempts`` times."""

        @deferred
        async def attempt() -> IResponse:
            response = await self._agent.request(method, uri, headers, bodyProducer)
            if response.code in _PASSING:
                raise _Passing(response)
            return response

        delays = backoff(self._attempts - 1, 0.2, 2.0, self._spread)
        # URLs are often signed for GET alone: whoever asks by HEAD has to ask by GET.
        once = (StorageRefused,) if method == b"HEAD" else ()
        again = partial(self._again, once)
        try:
            return await retry(self._clock, delays, attempt, again)
        except _Passing as last:
            return last.response

    def _again(
        self,
        once: tuple[type[BaseException], ...],
        error: BaseException,
        planned: float,
    ) -> float | None:
        if isinstance(error, once):
            return None
        if isinstance(error, _Passing):
            asked = retry_after(error.response, self._clock.seconds())
            if asked is not None and asked > MAX_OBEYED_SECONDS:
                return None
            if asked is None and error.response.code == 429:
                return None
            discard(error.response, self._clock)
            return max(planned, asked or 0.0)
        passing = isinstance(error, UpstreamFailed)
        return planned if passing and not isinstance(error, UpstreamTimeout) else None
