"""Bytes from the upstream on their way into the growing file of a fill."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.interfaces import IConsumer, IProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from txregistry.interfaces.fills import IPartialBlob
from txregistry.proxy.pacing import PacedBody


@implementer(IConsumer)
@attrs.define(eq=False)
class Intake:
    """Bytes from the upstream on their way into the growing file.

    :ivar received: bytes that came over the wire.
    :param skip: bytes at the beginning that are already in the file.
    :param progressed: is called whenever more can be read.
    :param skipped: called with how many of those have been skipped.
    :param pace: holds the upstream back as well as the disk does.
    """

    _partial: IPartialBlob
    _skip: int
    _progressed: Callable[[], None]
    _skipped: Callable[[int], None]
    _pace: PacedBody
    received: int = 0
    _accepted: int = attrs.field(init=False)
    _flushing: bool = False

    def __attrs_post_init__(self) -> None:
        self._accepted = self._partial.size

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Take the upstream's body, paused while the disk or the rate is behind."""
        self._partial.registerProducer(self._pace.around(producer), streaming)

    def unregisterProducer(self) -> None:
        """Let the producer go."""
        self._partial.unregisterProducer()

    def write(self, data: bytes) -> None:
        """Take in new bytes."""
        self.received += len(data)
        fresh = data[self._skip :]
        self._skip = max(0, self._skip - len(data))
        if not fresh:
            self._skipped(self.received)
        else:
            self._accepted += len(fresh)
            self._partial.write(fresh)
            self._watch()
        self._pace.received(len(data))

    def _watch(self) -> None:
        if not self._flushing:
            self._flushing = True
            self._partial.flush().addCallbacks(self._flushed, self._broken)

    def _flushed(self, _: None) -> None:
        self._flushing = False
        self._progressed()
        if self._accepted > self._partial.size:
            self._watch()

    def _broken(self, failure: Failure) -> None:
        # The partial stops its producer; the next flush fails with the reason.
        self._flushing = False
