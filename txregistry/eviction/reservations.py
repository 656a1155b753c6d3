"""Room that downloads under way have been given."""

from __future__ import annotations

from collections.abc import Callable, Collection

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
    _open: set[Reservation] = attrs.field(factory=set)

    def holds(self, digest: Digest) -> bool:
        """Tell whether a download of a digest is under way."""
        return any(reservation.digest == digest for reservation in self._open)

    def add(self, reservation: Reservation) -> None:
        """Record a download that begins, perhaps with an earlier part."""
        self.idle.pop(reservation.digest, None)
        self._open.add(reservation)

    def remove(self, reservation: Reservation, kept: int) -> None:
        """Record a download that has ended."""
        self._open.discard(reservation)
        if kept:
            self.idle[reservation.digest] = kept

    def found(self, sizes: dict[Digest, int], before: Collection[Digest]) -> None:
        """Take over what was found on the disk beside the downloads under way.

        :param before: what was known when the search began; the rest came since.
        """
        since = {x: size for x, size in self.idle.items() if x not in before}
        there = {x: size for x, size in sizes.items() if not self.holds(x)}
        self.idle = there | since

    @property
    def waiting(self) -> int:
        """Return the bytes of the parts that wait."""
        return sum(self.idle.values())

    @property
    def reserved(self) -> int:
        """Return the bytes of all downloads under way."""
        return sum(reservation.size for reservation in self._open)

    @property
    def unwritten(self) -> int:
        """Return those of them that are still to come."""
        return sum(reservation.unwritten for reservation in self._open)
