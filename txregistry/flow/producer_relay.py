"""Backpressure across several consecutive reads into one consumer.

A full consumer pauses its registered producer. When many short reads follow one
another, each with a producer of its own, none is registered between them to be paused,
and the buffer of a slow peer grows without limit. A relay stays registered across all
reads, and remembers whether the consumer is paused.
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
    """The one registered producer of a consumer; several reads write through it."""

    _consumer: IConsumer
    _inner: IPushProducer | None = None
    _paused: bool = False
    _stopped: bool = False
    _waiting: Deferred[None] | None = None

    def open(self) -> None:
        """Register with the consumer; call once, and call :meth:`close` at the end."""
        self._consumer.registerProducer(self, True)

    def close(self) -> None:
        """Unregister from the consumer."""
        self._consumer.unregisterProducer()

    def ready(self) -> Deferred[None]:
        """Wait until the consumer is not paused; one caller at a time.

        :return: fires then; fails with ``ConsumerStopped`` once the consumer has
            stopped the relay. Cancelling stops waiting.
        """
        if self._stopped:
            return failed(ConsumerStopped())
        if not self._paused:
            return succeed(None)
        self._waiting = Deferred(self._stop_waiting)
        return self._waiting

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Register the producer of one read; it is paused at once if the relay is."""
        self._inner = cast(IPushProducer, producer)
        if self._stopped:
            self._inner.stopProducing()
        elif self._paused:
            self._inner.pauseProducing()

    def unregisterProducer(self) -> None:
        """Unregister the producer of one read."""
        self._inner = None

    def write(self, data: bytes) -> None:
        """Write to the consumer."""
        self._consumer.write(data)

    def pauseProducing(self) -> None:
        """Pause the current read and the following ones."""
        self._paused = True
        if self._inner is not None:
            self._inner.pauseProducing()

    def resumeProducing(self) -> None:
        """Resume the current read, and fire :meth:`ready`."""
        self._paused = False
        if self._inner is not None:
            self._inner.resumeProducing()
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    def stopProducing(self) -> None:
        """Stop the current read and fail :meth:`ready`: the consumer is gone."""
        self._stopped = True
        if self._inner is not None:
            self._inner.stopProducing()
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.errback(Failure(ConsumerStopped()))

    def _stop_waiting(self, _: Deferred[None]) -> None:
        self._waiting = None


@attrs.define(eq=False)
class DirectRelay:
    """For a consumer that takes files: each read waits for the socket by itself."""

    def ready(self) -> Deferred[None]:
        """Return a Deferred that has fired."""
        return succeed(None)

    def close(self) -> None:
        """Do nothing: no producer is registered."""


@attrs.frozen
class RelayedConsumer:
    """A consumer for several reads, and the relay to wait on between them."""

    consumer: IConsumer
    relay: ProducerRelay | DirectRelay


def open_relay(consumer: IConsumer) -> RelayedConsumer:
    """Prepare a consumer for several reads.

    The caller waits for ``relay.ready()`` between them, and calls ``relay.close()`` at
    the end.
    """
    if takes_files(consumer):
        return RelayedConsumer(consumer, DirectRelay())
    relay = ProducerRelay(consumer)
    relay.open()
    return RelayedConsumer(relay, relay)
