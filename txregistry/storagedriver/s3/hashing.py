"""Feeds what is read to a hash, on a thread."""

from __future__ import annotations

from typing import cast

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IProducer, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from txregistry.flow.disk import Disk
from txregistry.spec.digest import IncrementalHash

#: Bytes that wait for the thread before the producer is paused.
_WAITING_BYTES = 2 * 1024 * 1024


@implementer(IConsumer)
@attrs.define(eq=False)
class HashingConsumer:
    """Hashes what is written to it, in order."""

    _disk: Disk
    _hasher: IncrementalHash
    _waiting: list[bytes] = attrs.field(factory=list)
    _size: int = 0
    _busy: bool = False
    _failure: Failure | None = None
    _producer: IPushProducer | None = None
    _idle: Deferred[None] | None = None

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Take a push producer."""
        self._producer = cast(IPushProducer, producer)

    def unregisterProducer(self) -> None:
        """Let it go."""
        self._producer = None

    def write(self, data: bytes) -> None:
        """Take in bytes."""
        self._waiting.append(data)
        self._size += len(data)
        if self._size > _WAITING_BYTES and self._producer is not None:
            self._producer.pauseProducing()
        self._go_on()

    def flushed(self) -> Deferred[None]:
        """Wait until all was hashed; call once, after the last byte."""
        self._idle = Deferred()
        idle = self._idle
        self._go_on()
        return idle

    def _go_on(self) -> None:
        if self._busy:
            return
        if self._waiting and self._failure is None:
            batch, self._waiting, self._size = self._waiting, [], 0
            self._busy = True
            done = self._disk.run(_update, self._hasher, batch)
            done.addCallbacks(self._hashed, self._failed)
            return
        idle, self._idle = self._idle, None
        if idle is not None:
            idle.callback(None) if self._failure is None else idle.errback(
                self._failure
            )

    def _hashed(self, _: None) -> None:
        self._busy = False
        if self._producer is not None:
            self._producer.resumeProducing()
        self._go_on()

    def _failed(self, failure: Failure) -> None:
        self._busy, self._failure = False, failure
        self._go_on()


def _update(hasher: IncrementalHash, pieces: list[bytes]) -> None:
    for piece in pieces:
        hasher.update(piece)
