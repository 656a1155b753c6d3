"""Room without a limit."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.interfaces.eviction import IReservation, IRoom
from txregistry.proxy.endless_room import EndlessRoom
from txregistry.spec.digest import Digest


class EndlessTests(SynchronousTestCase):
    """Nobody waits."""

    def test_always(self) -> None:
        """Whatever is asked for is given, and counted no more than that."""
        room = EndlessRoom()
        verifyObject(IRoom, room)
        made = self.successResultOf(room.reserve(Digest.of(b""), 10**18))
        verifyObject(IReservation, made)
        made.wrote(5)
        self.successResultOf(made.grow(10**19))
        self.assertEqual(made.size, 10**19)
        made.release(0)
