"""Large content that is read and verified at the same time."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.producer_relay import open_relay
from txregistry.interfaces.blobs import IBlobReader
from txregistry.spec.descriptor import Descriptor

#: Bytes at the end of a range that are held back until the digest matches.
HELD_BACK_BYTES = 64 * 1024


@implementer(IBlobReader)
@attrs.define(eq=False)
class UnverifiedBlob:
    """An open blob that is not verified yet.

    :param verified: fires when the digest matches; fails if it does not.
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
        """Push bytes into a consumer, the last of them once the digest matches."""
        wanted = max(0, self.size - offset) if size is None else size
        first = max(0, wanted - HELD_BACK_BYTES)
        verified = self._verified()
        relayed = open_relay(consumer)
        try:
            await self._blob.read(consumer=relayed.consumer, offset=offset, size=first)
            await verified
            await relayed.relay.ready()
            await self._blob.read(
                consumer=relayed.consumer, offset=offset + first, size=wanted - first
            )
        finally:
            relayed.relay.close()
            # A consumer that has left needs no verdict.
            verified.addErrback(lambda _: None)
            verified.cancel()

    def close(self) -> None:
        """Close it."""
        self._blob.close()
