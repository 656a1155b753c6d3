"""Room without a limit, where nobody counts what is stored."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from txregistry.interfaces.eviction import IReservation, IRoom
from txregistry.spec.digest import Digest


@implementer(IReservation)
@attrs.define(eq=False)
class EndlessReservation:
    """Room for one download, which may be as long as it likes."""

    size: int

    def wrote(self, size: int) -> None:
        """Record how many bytes are written."""
        self.size = max(self.size, size)

    def grow(self, size: int) -> Deferred[None]:
        """Fire at once."""
        self.size = max(self.size, size)
        return succeed(None)

    def release(self, kept: int) -> None:
        """Do nothing."""


@implementer(IRoom)
class EndlessRoom:
    """There is always room."""

    def reserve(self, digest: Digest, size: int) -> Deferred[IReservation]:
        """Fire at once."""
        made: IReservation = EndlessReservation(size)
        return succeed(made)
