"""How the upstream is asked: agents nested as decorators, one concern each.

From the outside in: breaker by path, retry, storage, redirects, authentication,
breaker by origin, places, new connections, time limit, identity, and Twisted's own
agent at the core.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import attrs
from OpenSSL import SSL
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
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
from txregistry.remote.body import retry_after
from txregistry.remote.failures import (
    ConnectTimedOut,
    StorageRefused,
    TargetRefused,
    Unreachable,
)
from txregistry.remote.origin import Origin
from txregistry.spec.errors import UpstreamFailed, UpstreamTimeout

_TRANSIENT_STATUSES = frozenset((429, 502, 503, 504))

#: A wait that the upstream asks for is obeyed up to this many seconds while a
#: client is waiting; a longer one is told to the client.
MAX_INLINE_WAIT_SECONDS = 3.0


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
        started_at, status = self._clock.seconds(), "error"
        try:
            pending = self._agent.request(method, uri, headers, bodyProducer)
            response = await pending.addTimeout(self._seconds, self._clock, _timed_out)
            status = str(response.code)
            return response
        except CancelledError:
            raise
        except _EXPECTED as error:
            raise _translate(error, host) from error
        finally:
            seconds = self._clock.seconds() - started_at
            self._meter.upstream(method.decode("ascii"), status, seconds)


_CONNECTION_LOST = (ResponseFailed, RequestTransmissionFailed, ConnectionClosed)
_CONNECT_FAILED = (ConnectError, DNSLookupError, OSError, ValueError)
_EXPECTED = (DeferredTimeout, ConnectTimeout, *_CONNECTION_LOST, *_CONNECT_FAILED)


def _translate(error: Exception, host: str) -> Exception:
    """Give what a failure to get an answer is called here."""
    if isinstance(error, DeferredTimeout):
        return UpstreamTimeout({"upstream": host})
    if isinstance(error, ConnectTimeout):
        return ConnectTimedOut({"upstream": host})
    if isinstance(error, _CONNECTION_LOST) and _was_cancelled(error):
        return CancelledError()
    if isinstance(error, _CONNECTION_LOST) and not _is_tls(error):
        return UpstreamFailed({"upstream": host, "reason": "broke the connection"})
    return Unreachable({"upstream": host, "reason": "cannot be reached"})


def _is_tls(error: BaseException) -> bool:
    reasons: list[Failure] = getattr(error, "reasons", [])
    return any(reason.check(SSL.Error) for reason in reasons)


def _timed_out(result: object, seconds: float) -> IResponse:
    # The agent wraps the cancellation in errors of its own; it was the time limit.
    raise DeferredTimeout(seconds, "no answer")


def _was_cancelled(error: BaseException) -> bool:
    reasons: list[Failure] = getattr(error, "reasons", [])
    return any(reason.check(CancelledError) for reason in reasons)


class _TransientStatus(Exception):
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
    _jitter: Callable[[], float]
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
            if response.code in _TRANSIENT_STATUSES:
                raise _TransientStatus(response)
            return response

        delays = backoff(self._attempts - 1, 0.2, 2.0, self._jitter)
        # URLs are often signed for GET alone: whoever asks by HEAD has to ask by GET.
        signed_for_get = (StorageRefused,) if method == b"HEAD" else ()
        permanent = (TargetRefused, *signed_for_get)
        next_delay = partial(self._next_delay, permanent)
        try:
            return await retry(self._clock, delays, attempt, next_delay)
        except _TransientStatus as last:
            return last.response

    def _next_delay(
        self,
        permanent: tuple[type[BaseException], ...],
        error: BaseException,
        planned: float,
    ) -> float | None:
        if isinstance(error, permanent):
            return None
        if isinstance(error, _TransientStatus):
            wait = retry_after(error.response, self._clock.seconds())
            if wait is not None and wait > MAX_INLINE_WAIT_SECONDS:
                return None
            if wait is None and error.response.code == 429:
                return None
            discard(error.response, self._clock)
            return max(planned, wait or 0.0)
        is_transient = isinstance(error, UpstreamFailed)
        return (
            planned if is_transient and not isinstance(error, UpstreamTimeout) else None
        )
