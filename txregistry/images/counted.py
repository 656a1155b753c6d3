"""A consumer that tells how far it has come."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.interfaces import IConsumer, IProducer
from zope.interface import implementer


@implementer(IConsumer)
@attrs.define(eq=False)
class CountedConsumer:
    """Passes bytes on.

    :param came: is told how many bytes have come in all.
    """

    _consumer: IConsumer
    _came: Callable[[int], object]
    _size: int = 0

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Register with the consumer."""
        self._consumer.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """Unregister from the consumer."""
        self._consumer.unregisterProducer()

    def write(self, data: bytes) -> None:
        """Pass bytes on, and tell."""
        self._consumer.write(data)
        self._size += len(data)
        self._came(self._size)
