"""One client's way through a blob that is being filled."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.producer_relay import RelayedConsumer, open_relay
from txregistry.flow.streams import ShortRead
from txregistry.interfaces.blobs import IBlobReader
from txregistry.interfaces.files import IFileReader
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.errors import CacheFull


@implementer(IBlobReader)
@attrs.define(eq=False)
class Follower:
    """One reader of a growing file, with its own offset.

    :param visible_past: fires with the readable size, as soon as that is past an
        offset, and at the end with the end.
    :param left: is called once, when the reader is closed.
    :param rescue: pushes the rest into a consumer, from an offset to an end, where the
        disk has stopped the fill.
    """

    descriptor: Descriptor
    _file: IFileReader
    _visible_past: Callable[[int], Deferred[int]]
    _left: Callable[[], None]
    _rescue: Callable[[IConsumer, int, int | None], Deferred[None]]
    _open: bool = True

    @property
    def size(self) -> int:
        """Return the size of the whole in bytes; 0 while unknown."""
        return self.descriptor.size or 0

    @deferred
    async def read(
        self, consumer: IConsumer, offset: int = 0, size: int | None = None
    ) -> None:
        """Push bytes into a consumer as they become visible."""
        end = self.descriptor.size if size is None else offset + size
        relayed = open_relay(consumer)
        try:
            offset = await self._read_pieces(relayed, offset, end)
        finally:
            relayed.relay.close()
        if size is not None and end is not None and offset < end:
            raise ShortRead(f"{end - offset} bytes are missing")

    @deferred
    async def _read_pieces(
        self, relayed: RelayedConsumer, offset: int, end: int | None
    ) -> int:
        while end is None or offset < end:
            await relayed.relay.ready()
            try:
                visible = await self._visible_past(offset)
            except CacheFull:
                await self._rescue(relayed.consumer, offset, end)
                return self.size if end is None else end
            if visible <= offset:
                break
            stop = visible if end is None else min(visible, end)
            await self._file.read(
                consumer=relayed.consumer, offset=offset, size=stop - offset
            )
            offset = stop
        return offset

    def close(self) -> None:
        """Close the follower; the fill continues."""
        if self._open:
            self._open = False
            self._left()
