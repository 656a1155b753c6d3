"""Pass on only the first bytes of a body, then stop it."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IProducer
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.streams import ConsumerStopped, ShortRead


@implementer(IConsumer)
@attrs.define(eq=False)
class Window:
    """Passes bytes on to a consumer, and stops the producer at a limit.

    :param remaining: the limit in bytes; ``None`` for none.
    """

    _consumer: IConsumer
    _remaining: int | None
    _producer: IProducer | None = None

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Register the producer; the consumer pauses and resumes it directly."""
        self._producer = producer
        self._consumer.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """Unregister the producer."""
        self._producer = None
        self._consumer.unregisterProducer()

    def write(self, data: bytes) -> None:
        """Pass on bytes up to the limit."""
        if self._remaining is None:
            self._consumer.write(data)
            return
        wanted = data[: self._remaining]
        if not wanted:
            return
        self._remaining -= len(wanted)
        self._consumer.write(wanted)
        if not self._remaining and self._producer is not None:
            self._producer.stopProducing()

    @deferred
    async def fill(self, deliver: Callable[[IConsumer], Deferred[None]]) -> None:
        """Deliver a body into this window.

        :return: fires at the limit, or at the end of the body if there is none. Fails
            with ``ShortRead`` if the body ends before the limit, or as the delivery.
        """
        try:
            await deliver(self)
        except ConsumerStopped:
            if self._remaining != 0:
                raise
        if self._remaining:
            raise ShortRead(f"{self._remaining} bytes are missing")
