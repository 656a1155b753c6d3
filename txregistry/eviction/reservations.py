"""Room that downloads under way have been given."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.defer import Deferred
from zope.interface import implementer

from txregistry.interfaces.eviction import IReservation
from txregistry.spec.digest import Digest


@implementer(IReservation)
@attrs.define(eq=False)
class Reservation:
    """Room for one download.

    :param grow: makes room for more.
    :param released: is told once how many bytes are kept on the disk.
    """

    digest: Digest
    size: int
    _grow: Callable[[Reservation, int], Deferred[None]]
    _released: Callable[[Reservation, int], None]
    written: int = 0
    _is_open: bool = True

    @property
    def unwritten(self) -> int:
        """Return the bytes that are still to come."""
        return max(0, self.size - self.written)

    def wrote(self, size: int) -> None:
        """Record how many bytes are written."""
        self.written, self.size = size, max(size, self.size)

    def grow(self, size: int) -> Deferred[None]:
        """Reserve so many bytes in all."""
        return self._grow(self, size)

    def release(self, kept: int) -> None:
        """Give it back."""
        if self._is_open:
            self._is_open = False
            self._released(self, kept)


@attrs.define(eq=False)
class Reservations:
    """All of a cache, and the parts of blobs that wait for a later download.

    :ivar idle: their sizes by digest, the oldest first.
    """

    idle: dict[Digest, int] = attrs.field(factory=dict)
    _open: dict[Digest, Reservation] = attrs.field(factory=dict)

    def holds(self, digest: Digest) -> bool:
        """Tell whether a download of a digest is under way."""
        return digest in self._open

    def add(self, reservation: Reservation) -> None:
        """Record a download that begins, perhaps with an earlier part."""
        self.idle.pop(reservation.digest, None)
        self._open[reservation.digest] = reservation

    def remove(self, reservation: Reservation, kept: int) -> None:
        """Record a download that has ended."""
        self._open.pop(reservation.digest, None)
        if kept:
            self.idle[reservation.digest] = kept

    def found(self, sizes: dict[Digest, int]) -> None:
        """Take over what was found on the disk beside the downloads under way."""
        self.idle = {
            digest: size for digest, size in sizes.items() if not self.holds(digest)
        }

    @property
    def reserved(self) -> int:
        """Return the bytes of all downloads under way."""
        return sum(reservation.size for reservation in self._open.values())

    @property
    def unwritten(self) -> int:
        """Return those of them that are still to come."""
        return sum(reservation.unwritten for reservation in self._open.values())
