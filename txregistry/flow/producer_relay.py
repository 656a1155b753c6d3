"""Several reads into one consumer, with one memory of whether it is paused.

A consumer tells the producer that is registered when it is full. With one short read
after the other, each its own producer, nobody is there to be told, and a slow peer's
buffer grows without end. A relay stays registered for as long as there is more to come.
"""

from __future__ import annotations

from typing import cast

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer, IProducer, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from txregistry.flow.sendfile import takes_files
from txregistry.flow.streams import ConsumerStopped
from txregistry.speed.failures import failed


@implementer(IConsumer, IPushProducer)
@attrs.define(eq=False)
class ProducerRelay:
    """Stands between short reads and the consumer that takes them all."""

    _consumer: IConsumer
    _inner: IPushProducer | None = None
    _paused: bool = False
    _stopped: bool = False
    _waiting: Deferred[None] | None = None

    def open(self) -> None:
        """Register with the consumer; call once, and :meth:`shut` at the end."""
        self._consumer.registerProducer(self, True)

    def shut(self) -> None:
        """Let the consumer go."""
        self._consumer.unregisterProducer()

    def ready(self) -> Deferred[None]:
        """Fire when the consumer wants more.

        Fails with ``ConsumerStopped`` if it never will. One wait at a time.
        """
        if self._stopped:
            return failed(ConsumerStopped())
        if not self._paused:
            return succeed(None)
        self._waiting = Deferred(self._forget)
        return self._waiting

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Take the producer of one read; it may have to wait at once."""
        self._inner = cast(IPushProducer, producer)
        if self._stopped:
            self._inner.stopProducing()
        elif self._paused:
            self._inner.pauseProducing()

    def unregisterProducer(self) -> None:
        """Let the producer of one read go."""
        self._inner = None

    def write(self, data: bytes) -> None:
        """Pass bytes on."""
        self._consumer.write(data)

    def pauseProducing(self) -> None:
        """Hold back the read under way, and the next ones."""
        self._paused = True
        if self._inner is not None:
            self._inner.pauseProducing()

    def resumeProducing(self) -> None:
        """Let reads go on."""
        self._paused = False
        if self._inner is not None:
            self._inner.resumeProducing()
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    def stopProducing(self) -> None:
        """End all reads: the consumer has gone."""
        self._stopped = True
        if self._inner is not None:
            self._inner.stopProducing()
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.errback(Failure(ConsumerStopped()))

    def _forget(self, _: Deferred[None]) -> None:
        self._waiting = None


@attrs.define(eq=False)
class DirectRelay:
    """For a consumer that takes files: each read waits for the kernel by itself."""

    def ready(self) -> Deferred[None]:
        """Fire at once."""
        return succeed(None)

    def shut(self) -> None:
        """Have nothing registered."""


@attrs.frozen
class Passage:
    """Where several reads go, and whom to ask between them."""

    consumer: IConsumer
    relay: ProducerRelay | DirectRelay


def open_passage(consumer: IConsumer) -> Passage:
    """Prepare for several reads.

    Call ``relay.ready`` between them, and ``relay.shut`` at the end.
    """
    if takes_files(consumer):
        return Passage(consumer, DirectRelay())
    relay = ProducerRelay(consumer)
    relay.open()
    return Passage(relay, relay)
