"""Content that is being read."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.interfaces.blobs import ILeases
from txregistry.spec.digest import Digest
from txregistry.storage.content.leases import Leases

A, B = Digest.of(b"a"), Digest.of(b"b")


class LeaseTests(SynchronousTestCase):
    """Readers, counted."""

    def setUp(self) -> None:
        self.leases = Leases()

    def test_contract(self) -> None:
        """It is what readers take."""
        verifyObject(ILeases, self.leases)

    def test_last_reader(self) -> None:
        """Content is held until its last reader has left; other content is not."""
        first, second = self.leases.take(A), self.leases.take(A)
        self.assertEqual((self.leases.held(A), self.leases.held(B)), (True, False))
        first()
        self.assertTrue(self.leases.held(A))
        second()
        self.assertFalse(self.leases.held(A))

    def test_released_twice(self) -> None:
        """Whoever leaves twice does not end the lease of another."""
        first = self.leases.take(A)
        self.leases.take(A)
        first()
        first()
        self.assertTrue(self.leases.held(A))

    def test_asking_keeps_nothing(self) -> None:
        """Asking for content leaves nothing behind, and it can be held again."""
        self.assertFalse(self.leases.held(A))
        release = self.leases.take(A)
        release()
        self.leases.take(A)
        self.assertTrue(self.leases.held(A))
