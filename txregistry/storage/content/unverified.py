"""Large content that is read and verified at the same time."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.producer_relay import open_passage
from txregistry.interfaces.blobs import IBlobReader
from txregistry.spec.descriptor import Descriptor

#: The end of what is asked for is given to nobody before the digest has agreed.
HELD_BACK_BYTES = 64 * 1024


@implementer(IBlobReader)
@attrs.define(eq=False)
class UnverifiedBlob:
    """An open blob of which it is not known yet whether it has its digest.

    :param verified: fires when it has; fails if it has not.
    """

    _blob: IBlobReader
    _verified: Callable[[], Deferred[None]]

    @property
    def descriptor(self) -> Descriptor:
        """Say what is being read."""
        return self._blob.descriptor

    @property
    def size(self) -> int:
        """Count its bytes."""
        return self._blob.size

    @deferred
    async def read(
        self, consumer: IConsumer, offset: int = 0, size: int | None = None
    ) -> None:
        """Push bytes into a consumer, the last of them when the digest has agreed."""
        wanted = max(0, self.size - offset) if size is None else size
        first = max(0, wanted - HELD_BACK_BYTES)
        verified = self._verified()
        passage = open_passage(consumer)
        try:
            await self._blob.read(consumer=passage.consumer, offset=offset, size=first)
            await verified
            await passage.relay.ready()
            await self._blob.read(
                consumer=passage.consumer, offset=offset + first, size=wanted - first
            )
        finally:
            passage.relay.shut()
            # Whoever has left does not care how it ends.
            verified.addErrback(lambda _: None)
            verified.cancel()

    def close(self) -> None:
        """Close it."""
        self._blob.close()
