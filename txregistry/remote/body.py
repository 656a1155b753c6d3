"""Response bodies. Each body is read to its end, or its connection is closed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import cast

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IConsumer,
    IPushProducer,
    IReactorTime,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import UNKNOWN_LENGTH, IResponse
from zope.interface import implementer

from txregistry.flow.collected import BodyCollector, BodyCut
from txregistry.flow.deferred import deferred
from txregistry.flow.streams import ConsumerStopped, TooLong, Watchdog
from txregistry.interfaces.fills import IBoundedProducer
from txregistry.remote.answers import parse_date, parse_retry_after
from txregistry.remote.twisted_private import read_at_once
from txregistry.spec.errors import UpstreamFailed, UpstreamTimeout

#: Largest ``Content-Length`` that is accepted, in bytes; a larger one is ignored.
MAX_LENGTH = 10**18
_LENGTH = re.compile("[0-9]{1,18}")


#: Time limit for a small body in seconds, even while bytes arrive: connections are few,
#: and it occupies one.
COLLECT_SECONDS = 600.0


class UpstreamBodyBroken(UpstreamFailed):
    """A body ended early."""


@implementer(IBoundedProducer)
@attrs.define(eq=False, slots=False)
class BodyProducer(Protocol):
    """Push a response body into a consumer.

    :ivar received: bytes so far.
    :param idle_seconds: time limit between two pieces; it stops while paused.
    :param length: the ``Content-Length``, if known.
    """

    _consumer: IConsumer | None
    _clock: IReactorTime
    _idle_seconds: float
    _length: int | None
    _upstream: str
    received: int = 0
    _done: Deferred[None] | None = None
    _idle: Watchdog = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._idle = Watchdog(self._clock, self._idle_seconds, self._stalled)
        self._done = Deferred(lambda _: self._cancel())

    @property
    def done(self) -> Deferred[None]:
        """Fire at the end of the body.

        Fails with :class:`UpstreamBodyBroken` if it ends early, with
        ``UpstreamTimeout`` if it stalls, and with ``ConsumerStopped`` if the consumer
        stops it. Cancelling closes the connection.
        """
        assert self._done is not None
        return self._done

    def connectionMade(self) -> None:
        """Register with the consumer."""
        self._idle.arm()
        if self._consumer is not None:
            self._consumer.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        """Write received bytes to the consumer."""
        self.received += len(data)
        if self._done is not None and self._consumer is not None:
            self._idle.arm()
            self._consumer.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Decide whether the body is complete."""
        is_complete = reason.check(ResponseDone) is not None
        if reason.check(PotentialDataLoss):
            # The connection was closed: complete if Content-Length agrees.
            is_complete = self._length is None or self.received == self._length
        self._finish(None if is_complete else Failure(self._broken("ended early")))

    def pauseProducing(self) -> None:
        """Pause the connection, and the time limit."""
        self._idle.disarm()
        self._producer.pauseProducing()

    def resumeProducing(self) -> None:
        """Resume the connection, and the time limit."""
        if self._done is not None:
            self._idle.arm()
            self._producer.resumeProducing()

    def stopProducing(self) -> None:
        """Close the connection; ``done`` fails with ``ConsumerStopped``."""
        self._finish(Failure(ConsumerStopped()))
        self._close()

    def read_at_most(self, size: int) -> None:
        """Read smaller pieces; see :class:`IBoundedProducer`."""
        read_at_once(self.transport, size)

    @property
    def _producer(self) -> IPushProducer:
        return cast(IPushProducer, self.transport)

    def _stalled(self) -> None:
        detail = {"upstream": self._upstream, "reason": "body stalled"}
        self._finish(Failure(UpstreamTimeout(detail)))
        self._close()

    def _broken(self, reason: str) -> UpstreamBodyBroken:
        return UpstreamBodyBroken({"upstream": self._upstream, "reason": reason})

    def _cancel(self) -> None:
        self._detach()
        self._close()

    def _close(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()

    def _detach(self) -> Deferred[None] | None:
        done, self._done = self._done, None
        self._idle.disarm()
        # This object is part of a reference cycle and freed late, and the consumer may
        # hold megabytes.
        consumer, self._consumer = self._consumer, None
        if done is not None and consumer is not None:
            consumer.unregisterProducer()
        return done

    def _finish(self, result: Failure | None) -> None:
        done = self._detach()
        if done is not None:
            done.callback(None) if result is None else done.errback(result)


def deliver(
    response: IResponse,
    consumer: IConsumer,
    clock: IReactorTime,
    idle_seconds: float,
    upstream: str,
) -> Deferred[None]:
    """Push the body of a response into a consumer.

    :return: fires and fails as :attr:`BodyProducer.done`.
    """
    producer = BodyProducer(
        consumer, clock, idle_seconds, length_of(response), upstream
    )
    done = producer.done
    response.deliverBody(producer)
    return done


def length_of(response: IResponse) -> int | None:
    """Return the announced length of a body in bytes, if there is one."""
    length = response.length
    if length is UNKNOWN_LENGTH or length > MAX_LENGTH:
        return None
    return cast(int, length)


def announced_length(response: IResponse) -> int | None:
    """Return the ``Content-Length`` of a response to HEAD, if it is valid."""
    text = header(response, "Content-Length") or ""
    return int(text) if _LENGTH.fullmatch(text) else None


def header(response: IResponse, name: str) -> str | None:
    """Return the last value of a response header."""
    values = header_lines(response, name)
    return values[-1] if values else None


def header_lines(response: IResponse, name: str) -> list[str]:
    """Return all values of a response header, decoded as Latin-1."""
    lines = response.headers.getRawHeaders(name.encode("ascii"), [])
    return [line.decode("latin-1") for line in lines]


def retry_after(response: IResponse, now: float) -> float | None:
    """Return the seconds to wait by ``Retry-After``, if a response has a valid one.

    :param now: seconds since the epoch, used if the response has no ``Date``.
    """
    written_at = parse_date(header(response, "Date"))
    return parse_retry_after(
        header(response, "Retry-After"), now if written_at is None else written_at
    )


@deferred
async def collect(
    response: IResponse,
    max_bytes: int,
    clock: IReactorTime,
    idle_seconds: float,
    upstream: str,
) -> bytes:
    """Read a small body into memory.

    :param upstream: its host, for errors.
    :return: fires with the body. Fails with ``UpstreamFailed`` if it is longer than
        ``max_bytes``, with ``UpstreamBodyBroken`` if it ends early, with
        ``UpstreamTimeout`` if it stalls for
        ``idle_seconds`` or takes more than :data:`COLLECT_SECONDS`.
    """

    def told(reason: str) -> dict[str, str]:
        return {"upstream": upstream, "reason": reason}

    def late(reason: str) -> Callable[[], None]:
        return lambda: collector.fail(UpstreamTimeout(told(reason)))

    idle = Watchdog(clock, idle_seconds, late("body stalled"))
    limit = Watchdog(clock, COLLECT_SECONDS, late("response too slow"))
    collector = BodyCollector(max_bytes, lambda _: idle.arm())
    idle.arm()
    limit.arm()
    try:
        return await collector.collect(response)
    except TooLong as error:
        raise UpstreamFailed(told("response too long")) from error
    except BodyCut as error:
        raise UpstreamBodyBroken(told("ended early")) from error
    finally:
        idle.disarm()
        limit.disarm()
