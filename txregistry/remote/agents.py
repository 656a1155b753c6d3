"""Agents that send requests to the upstream, nested as decorators, one concern each.

From the outside in: breaker by path, retry, storage, redirects, authentication,
breaker by origin, rate limits, request slots, stale connections, time limit, identity,
a refusal while offline, and Twisted's own agent at the core. This module has retry,
time limit and identity.
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

#: Statuses after which a retry may succeed.
_TRANSIENT_STATUSES = frozenset((429, 502, 503, 504))

#: Longest ``Retry-After``, in seconds, that is waited for while a client waits. A
#: longer one is passed on to the client.
MAX_INLINE_WAIT_SECONDS = 3.0


@implementer(IAgent)
@attrs.define(eq=False)
class IdentityAgent:
    """Set ``User-Agent``, and ask for the identity coding.

    A content coding would change lengths and offsets. Some upstreams refuse requests
    without a ``User-Agent``.
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
        """Send a request that accepts no content coding."""
        own = Headers() if headers is None else headers.copy()
        own.setRawHeaders(b"User-Agent", [self._user_agent.encode("ascii")])
        own.setRawHeaders(b"Accept-Encoding", [b"identity"])
        return self._agent.request(method, uri, own, bodyProducer)


@implementer(IAgent)
@attrs.define(eq=False)
class TimedAgent:
    """Limit the wait for a response, and translate failures into our errors.

    :param seconds: from the request to the head of the response.
    :param meter: counts each request with its status and duration.
    """

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
        """Send a request.

        :return: fires with the response. Fails with ``UpstreamTimeout``,
            :class:`Unreachable` or ``UpstreamFailed``, which name the host.
        """
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
    """Return our error for a failure of Twisted's agent."""
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
    # Twisted's agent may wrap the cancellation by the time limit in other errors.
    raise DeferredTimeout(seconds, "no answer")


def _was_cancelled(error: BaseException) -> bool:
    reasons: list[Failure] = getattr(error, "reasons", [])
    return any(reason.check(CancelledError) for reason in reasons)


class _TransientStatus(Exception):
    """A response with a status after which a retry may succeed."""

    def __init__(self, response: IResponse) -> None:
        super().__init__(response.code)
        self.response = response


@implementer(IAgent)
@attrs.define(eq=False)
class RetryAgent:
    """Retry after failures that may be temporary.

    A timeout is not retried: the client has waited long enough.

    :param attempts: how often a request is sent at most.
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
        """Send a request, up to ``attempts`` times.

        :return: fires with the last response, also if its status is an error. Fails
            as the last attempt.
        """

        @deferred
        async def attempt() -> IResponse:
            response = await self._agent.request(method, uri, headers, bodyProducer)
            if response.code in _TRANSIENT_STATUSES:
                raise _TransientStatus(response)
            return response

        delays = backoff(self._attempts - 1, 0.2, 2.0, self._jitter)
        # URLs are often signed for GET alone, so the caller has to fall back to GET.
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
