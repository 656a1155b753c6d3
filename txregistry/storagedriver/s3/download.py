"""An object's bytes on their way to a consumer."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IConsumer,
    IDelayedCall,
    IPushProducer,
    IReactorTime,
)
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.iweb import IResponse
from zope.interface import implementer

from txregistry.flow.streams import ConsumerStopped, Watchdog
from txregistry.storagedriver.s3.client import STALL_SECONDS, Client
from txregistry.storagedriver.s3.pace import AnswerPace
from txregistry.storagedriver.s3.request import Ask, StoreUnreachable
from txregistry.storagedriver.s3.responses import drop, headers_of, why


class ObjectReplaced(StoreUnreachable):
    """The object that was being read is not there any more: another one is."""


@attrs.frozen
class Source:
    """An object as it was when it was opened."""

    key: str
    etag: str
    size: int


def ranged(source: Source, offset: int, size: int) -> Ask:
    """Ask for a part of an object."""
    wanted = f"bytes={offset}-{offset + size - 1}"
    return Ask("GET", source.key, headers={"Range": wanted})


@implementer(IPushProducer)
@attrs.define(eq=False)
class ObjectDownload:
    """Pushes a part of an object into a consumer.

    A body that breaks off is gone on with where it did, as long as there is progress,
    if the object is still the same: its entity tag comes with each answer. ``If-Match``
    would say no sooner, and Ceph never finds it to match.
    """

    _client: Client
    _clock: IReactorTime
    _source: Source
    _consumer: IConsumer
    _offset: int
    _left: int
    _done: Deferred[None] | None = None
    _asking: Deferred[Any] | None = None
    _body: _Body | None = None
    _wait: IDelayedCall | None = None
    _delays: Iterator[float] = attrs.field(init=False)
    _paused: bool = False

    def __attrs_post_init__(self) -> None:
        self._delays = iter(self._client.delays())

    def start(self, opened: IResponse | None) -> Deferred[None]:
        """Start; call once.

        :param opened: an answer that begins at the offset, and may go on beyond what is
            wanted.
        :return: as of ``IFileReader.read``; fails as the client does.
        """
        done: Deferred[None] = Deferred(lambda _: self._detach())
        self._done = done
        self._consumer.registerProducer(self, True)
        if opened is None:
            self._ask()
        else:
            self._deliver(opened)
        return done

    def pauseProducing(self) -> None:
        """Take no more from the store until resumed."""
        self._paused = True
        if self._body is not None:
            self._body.pause()

    def resumeProducing(self) -> None:
        """Go on."""
        self._paused = False
        if self._body is not None:
            self._body.resume()

    def stopProducing(self) -> None:
        """Stop for good: the consumer is gone."""
        self._finish(Failure(ConsumerStopped()))

    def took(self, data: bytes) -> None:
        """Hand on what has come."""
        if self._done is None:
            return
        data = data[: self._left]
        self._offset += len(data)
        self._left -= len(data)
        self._consumer.write(data)
        if not self._left:
            self._finish(None)

    def progressed(self) -> None:
        """Have all attempts again: much has come."""
        self._delays = iter(self._client.delays())

    def ended(self, reason: str) -> None:
        """Go on after a body that ended too early."""
        self._body = None
        if self._done is None:
            return
        delay = next(self._delays, None)
        if delay is None:
            self._finish(Failure(StoreUnreachable(f"the object broke off: {reason}")))
        else:
            self._wait = self._clock.callLater(delay, self._ask)

    def _ask(self) -> None:
        self._wait = None
        ask = ranged(self._source, self._offset, self._left)
        self._asking = self._client.open(ask)
        self._asking.addCallbacks(self._opened, self._failed)

    def _opened(self, response: IResponse) -> None:
        self._asking = None
        if self._done is None:
            drop(response)
            return
        if headers_of(response).get("etag", "") != self._source.etag:
            drop(response)
            self._finish(Failure(ObjectReplaced("the object was replaced")))
            return
        if not self._is_wanted(response):
            drop(response)
            self._finish(Failure(StoreUnreachable("the store sends no ranges")))
            return
        self._deliver(response)

    def _is_wanted(self, response: IResponse) -> bool:
        """Tell if a body begins where it has to."""
        if response.code != 206:
            return not self._offset
        told = headers_of(response).get("content-range", "")
        return not told or told.startswith(f"bytes {self._offset}-")

    def _failed(self, failure: Failure) -> None:
        self._asking = None
        self._finish(failure)

    def _deliver(self, response: IResponse) -> None:
        watchdog = Watchdog(self._clock, STALL_SECONDS, self._stalled)
        self._body = _Body(self, response.length, AnswerPace(watchdog))
        response.deliverBody(self._body)

    def _stalled(self) -> None:
        body = self._body
        if body is not None:
            body.abort()
            # Each costs a minute: once more, unless much comes then.
            self._delays = islice(self._delays, 1)
            self.ended(f"too little came in {STALL_SECONDS:.0f} s")

    @property
    def is_paused(self) -> bool:
        """Tell if the consumer takes no more for now."""
        return self._paused

    def _finish(self, result: Failure | None) -> None:
        done = self._done
        if done is None:
            return
        self._detach()
        done.callback(None) if result is None else done.errback(result)

    def _detach(self) -> None:
        self._done = None
        self._consumer.unregisterProducer()
        if self._wait is not None:
            self._wait.cancel()
            self._wait = None
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.addErrback(lambda _: None)
            asking.cancel()
        body, self._body = self._body, None
        if body is not None:
            body.leave()


class _Body(Protocol):
    """One answer's body."""

    def __init__(self, download: ObjectDownload, length: Any, pace: AnswerPace) -> None:
        self._download: ObjectDownload | None = download
        # Unknown is never over.
        self._missing = length if isinstance(length, int) else float("inf")
        self._pace = pace
        self._is_over = False

    def connectionMade(self) -> None:
        """Begin, unless the consumer is full."""
        if self._download is not None and self._download.is_paused:
            self.pause()
        else:
            self._pace.begin()

    def pause(self) -> None:
        """Read no more of the socket; the store may wait as long as the client."""
        self._pace.end()
        if not self._is_over and self._transport is not None:
            self._transport.pauseProducing()

    def resume(self) -> None:
        """Read on."""
        if not self._is_over and self._transport is not None:
            self._pace.begin()
            self._transport.resumeProducing()

    def abort(self) -> None:
        """Close the connection, and tell nobody."""
        self._pace.end()
        self._download = None
        if not self._is_over and self._transport is not None:
            self._transport.stopProducing()

    def leave(self) -> None:
        """Want no more; a connection whose answer has come whole is kept."""
        if self._missing:
            self.abort()
            return
        self._download = None
        self._pace.end()
        if not self._is_over and self._transport is not None:
            # The consumer may be full: the next answer is not for it.
            self._transport.resumeProducing()

    def dataReceived(self, data: bytes) -> None:
        """Hand on."""
        self._missing = max(0, self._missing - len(data))
        if self._download is not None:
            if self._pace.came(len(data)):
                self._download.progressed()
            self._download.took(data)

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Tell of an end that came too early."""
        self._is_over = True
        self._pace.end()
        download, self._download = self._download, None
        if download is not None:
            told = "" if reason is None else why(reason.value)
            is_whole = reason is not None and reason.check(ResponseDone)
            download.ended("it is too short" if is_whole else told)

    @property
    def _transport(self) -> Any:
        return self.transport
