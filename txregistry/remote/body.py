"""Response bodies: every one is read, or its connection is closed."""

from __future__ import annotations

import re
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

from txregistry.flow.deferred import deferred
from txregistry.flow.streams import (
    BoundedConsumer,
    ConsumerStopped,
    TooLong,
    Watchdog,
)
from txregistry.remote.answers import parse_date, parse_retry_after
from txregistry.spec.errors import UpstreamFailed, UpstreamTimeout

#: Longest body that is believed to be announced; what is longer is no announcement.
MAX_LENGTH = 10**18
_LENGTH = re.compile("[0-9]{1,18}")


#: How long a small body may take in all, however steadily it comes: it has a connection
#: meanwhile, of which there are few.
COLLECT_SECONDS = 600.0


class UpstreamBodyBroken(UpstreamFailed):
    """A body ended before it should have, or stood still for too long."""


@implementer(IPushProducer)
@attrs.define(eq=False, slots=False)
class BodyProducer(Protocol):
    """Push a response body into a consumer.

    :ivar received: bytes so far.
    :param idle_seconds: without a byte for this long, and not paused, it is broken.
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
        """Fire at the end of the body; fail with :class:`UpstreamBodyBroken`.

        Fails with ``ConsumerStopped`` if the consumer stops us. Cancelling closes
        the connection.
        """
        assert self._done is not None
        return self._done

    def connectionMade(self) -> None:
        """Begin."""
        self._idle.arm()
        if self._consumer is not None:
            self._consumer.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        """Pass a chunk on."""
        self.received += len(data)
        if self._done is not None and self._consumer is not None:
            self._idle.arm()
            self._consumer.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Decide whether the body was whole."""
        is_complete = reason.check(ResponseDone) is not None
        if reason.check(PotentialDataLoss):
            # Ended by closing: whole if it is as long as announced.
            is_complete = self._length is None or self.received == self._length
        self._finish(None if is_complete else Failure(self._broken("ended early")))

    def pauseProducing(self) -> None:
        """Let the upstream wait; it is not idle while it does."""
        self._idle.disarm()
        self._producer.pauseProducing()

    def resumeProducing(self) -> None:
        """Go on."""
        if self._done is not None:
            self._idle.arm()
            self._producer.resumeProducing()

    def stopProducing(self) -> None:
        """Close the connection: the consumer wants no more."""
        self._finish(Failure(ConsumerStopped()))
        self._close()

    @property
    def _producer(self) -> IPushProducer:
        return cast(IPushProducer, self.transport)

    def _stalled(self) -> None:
        detail = {"upstream": self._upstream, "reason": "stood still"}
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
        # We are part of a circle, which is freed late; what was collected may be long.
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
    """Push the body of a response into a consumer; see :class:`BodyProducer`."""
    producer = BodyProducer(
        consumer, clock, idle_seconds, length_of(response), upstream
    )
    done = producer.done
    response.deliverBody(producer)
    return done


def length_of(response: IResponse) -> int | None:
    """Give the announced length of a body, if there is one."""
    length = response.length
    if length is UNKNOWN_LENGTH or length > MAX_LENGTH:
        return None
    return cast(int, length)


def announced_length(response: IResponse) -> int | None:
    """Give the ``Content-Length`` of the answer to HEAD, whose body has none."""
    text = header(response, "Content-Length") or ""
    return int(text) if _LENGTH.fullmatch(text) else None


def header(response: IResponse, name: str) -> str | None:
    """Give the last value of a response header."""
    values = header_lines(response, name)
    return values[-1] if values else None


def header_lines(response: IResponse, name: str) -> list[str]:
    """Give all values of a response header; bytes beyond ASCII as Latin-1."""
    lines = response.headers.getRawHeaders(name.encode("ascii"), [])
    return [line.decode("latin-1") for line in lines]


def retry_after(response: IResponse, now: float) -> float | None:
    """Give for how many seconds an answer says to wait, if it does.

    :param now: seconds since the epoch, where the answer has no date of its own.
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

    :return: fires with it; fails with ``UpstreamFailed`` if it is too long or
        breaks off, with ``UpstreamTimeout`` if it takes too long.
    """

    def timed_out(*_: object) -> None:
        raise UpstreamTimeout({"upstream": upstream, "reason": "answers too slowly"})

    consumer = BoundedConsumer(max_bytes)
    try:
        delivered = deliver(response, consumer, clock, idle_seconds, upstream)
        await delivered.addTimeout(COLLECT_SECONDS, clock, timed_out)
        return consumer.content
    except (TooLong, ConsumerStopped) as error:
        detail = {"upstream": upstream, "reason": "answer too long"}
        raise UpstreamFailed(detail) from error
