"""A part of a blob on its way to one client, while all of it is hashed."""

from __future__ import annotations

import attrs
from twisted.internet.interfaces import IConsumer, IProducer
from zope.interface import implementer

from txregistry.proxy.state import HELD_BACK_BYTES
from txregistry.spec.digest import Digest, IncrementalHash
from txregistry.spec.errors import UpstreamFailed


@implementer(IConsumer)
@attrs.define(eq=False)
class VerifiedWindow:
    """Hashes a blob from its beginning, and passes a part of it on.

    The last 64 KiB are held back until the digest matches, as those of a fill are.

    :param hasher: has what comes before ``received``.
    :param start: the first byte that is passed on.
    :param end: the first one after it that is not; ``None`` for all.
    :ivar received: how many bytes of the blob have come.
    """

    _consumer: IConsumer
    _digest: Digest
    _hasher: IncrementalHash
    _start: int
    _end: int | None
    received: int = 0
    _passed: int = attrs.field(init=False)
    _skip: int = 0
    _held: bytearray = attrs.field(factory=bytearray)

    def __attrs_post_init__(self) -> None:
        self._passed = self.received

    def begin(self, at: int) -> None:
        """Take a body that begins at an offset, no later than what is missing."""
        self._skip = self.received - at

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Register the producer; the consumer pauses and resumes it directly."""
        self._consumer.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """Unregister the producer."""
        self._consumer.unregisterProducer()

    def write(self, data: bytes) -> None:
        """Take in bytes; pass on what is far enough from the end."""
        fresh = data[self._skip :]
        self._skip = max(0, self._skip - len(data))
        self._hasher.update(fresh)
        self.received += len(fresh)
        self._held += fresh
        self._pass_on(len(self._held) - HELD_BACK_BYTES)

    def finish(self) -> None:
        """Pass on the rest.

        :raise UpstreamFailed: the blob does not match its digest.
        """
        if not self._digest.matches(self._hasher):
            facts = {"reason": "sent content that does not match its digest"}
            raise UpstreamFailed(facts)
        self._pass_on(len(self._held))

    def _pass_on(self, count: int) -> None:
        if count <= 0:
            return
        piece = bytes(self._held[:count])
        del self._held[:count]
        first = max(0, self._start - self._passed)
        last = None if self._end is None else max(0, self._end - self._passed)
        self._passed += count
        wanted = piece[first:last]
        if wanted:
            self._consumer.write(wanted)
