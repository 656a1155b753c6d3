"""Room that downloads have been given."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.eviction.reservations import Reservation, Reservations
from txregistry.interfaces.eviction import IReservation
from txregistry.spec.digest import Digest

ONE, TWO = Digest.of(b"1"), Digest.of(b"2")


class ReservationsTests(SynchronousTestCase):
    """What counts, and for how long."""

    def setUp(self) -> None:
        self.all = Reservations()
        self.grown: list[int] = []

    def grow(self, reservation: Reservation, size: int) -> Deferred[None]:
        self.grown.append(size)
        return succeed(None)

    def make(self, digest: Digest, size: int) -> Reservation:
        made = Reservation(digest, size, self.grow, self.all.remove)
        verifyObject(IReservation, made)
        self.all.add(made)
        return made

    def test_written(self) -> None:
        """A download counts as announced; what it wrote is on the disk."""
        one = self.make(ONE, 100)
        one.wrote(30)
        self.assertEqual((self.all.reserved, self.all.unwritten), (100, 70))
        one.wrote(130)
        self.assertEqual((self.all.reserved, self.all.unwritten), (130, 0))
        self.successResultOf(one.grow(200))
        self.assertEqual(self.grown, [200])

    def test_released(self) -> None:
        """It counts no more when it ends, but for what is kept."""
        one, two = self.make(ONE, 100), self.make(TWO, 50)
        self.assertTrue(self.all.holds(ONE))
        one.release(kept=0)
        two.release(kept=50)
        two.release(kept=0)
        self.assertFalse(self.all.holds(ONE))
        self.assertEqual((self.all.reserved, self.all.idle), (0, {TWO: 50}))
        self.make(TWO, 50)
        self.assertEqual((self.all.reserved, self.all.idle), (50, {}))

    def test_found(self) -> None:
        """What is on the disk counts once."""
        self.make(ONE, 100)
        self.all.found({ONE: 10, TWO: 7}, set())
        self.assertEqual((self.all.reserved, self.all.idle), (100, {TWO: 7}))
        self.all.found({}, {TWO})
        self.assertEqual(self.all.idle, {})

    def test_left_during_the_search(self) -> None:
        """What was left while others were looked for is not forgotten."""
        one = self.make(ONE, 100)
        one.release(kept=60)
        self.all.found({}, set())
        self.assertEqual(self.all.idle, {ONE: 60})
