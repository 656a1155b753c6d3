"""The body of a download at the pace of its upstream's ``maxrate``."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import attrs
from twisted.internet.interfaces import IConsumer, IProducer, IPushProducer
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.demand import SOMEBODY, Demand
from txregistry.flow.shared_rate import MAX_PIECE_BYTES, RateStream, SharedRate
from txregistry.interfaces.files import IFileReader
from txregistry.interfaces.fills import IBoundedProducer


@implementer(IPushProducer)
@attrs.define(eq=False)
class PacedBody:
    """A producer that a shared rate holds back as well as its consumer.

    It produces while neither does.

    :param on_hold: called with true when the rate holds it back, and with false when it
        goes on: no byte comes meanwhile, and that is nobody's fault.
    :param demand: whether somebody waits for the body.
    """

    _rate: SharedRate
    _on_hold: Callable[[bool], None]
    _demand: Demand = SOMEBODY
    _producer: IPushProducer | None = None
    _is_paused: bool = False
    _is_held: bool = False
    _piece_bytes: int = MAX_PIECE_BYTES
    _stream: RateStream = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._stream = self._rate.open(self._hold, self._release, self._demand)

    def around(self, producer: IProducer) -> IPushProducer:
        """Take the producer of the body; return what its consumer is to pause."""
        self._producer = cast(IPushProducer, producer)
        self._bound()
        return self

    def received(self, size: int) -> None:
        """Report bytes of the body."""
        self._bound()
        self._stream.received(size)

    def close(self) -> None:
        """Leave the rate: the body has ended. May be called once."""
        self._stream.close()
        if self._is_held:
            self._is_held = False
            self._on_hold(False)

    def pauseProducing(self) -> None:
        """Pause for the consumer."""
        self._is_paused = True
        if not self._is_held and self._producer is not None:
            self._producer.pauseProducing()

    def resumeProducing(self) -> None:
        """Resume for the consumer."""
        self._is_paused = False
        if not self._is_held and self._producer is not None:
            self._producer.resumeProducing()

    def stopProducing(self) -> None:
        """Stop, for the consumer."""
        if self._producer is not None:
            self._producer.stopProducing()

    def _bound(self) -> None:
        """Have the body come in pieces of which several streams can take turns."""
        size = self._stream.piece_bytes
        bounded = IBoundedProducer.providedBy(self._producer)
        if bounded and size != self._piece_bytes:
            self._piece_bytes = size
            cast(IBoundedProducer, self._producer).read_at_most(size)

    def _hold(self) -> None:
        self._is_held = True
        self._on_hold(True)
        if not self._is_paused and self._producer is not None:
            self._producer.pauseProducing()

    def _release(self) -> None:
        self._is_held = False
        self._on_hold(False)
        if not self._is_paused and self._producer is not None:
            self._producer.resumeProducing()


@implementer(IConsumer)
@attrs.define(eq=False)
class PacedConsumer:
    """A consumer whose producer is held back by a shared rate as well.

    :param consumer: pauses the producer itself when it has enough.
    """

    _consumer: IConsumer
    _pace: PacedBody

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Take a producer."""
        self._consumer.registerProducer(self._pace.around(producer), streaming)

    def unregisterProducer(self) -> None:
        """Let the producer go."""
        self._consumer.unregisterProducer()

    def write(self, data: bytes) -> None:
        """Take bytes."""
        self._consumer.write(data)
        self._pace.received(len(data))


@deferred
async def read_paced(
    reader: IFileReader,
    rate: SharedRate,
    consumer: IConsumer,
    offset: int,
    size: int | None,
) -> None:
    """Read the body of an upstream for a client, at a shared rate.

    :param size: in bytes; ``None`` for all until the end.
    :return: fires and fails as the read.
    """
    pace = PacedBody(rate, _hold_nothing)
    paced = PacedConsumer(consumer, pace)
    try:
        await reader.read(consumer=paced, offset=offset, size=size)
    finally:
        pace.close()


def _hold_nothing(_: bool) -> None:
    """Hold nothing else back."""
