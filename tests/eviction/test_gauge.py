"""What a cache takes, as far as it is known."""

from __future__ import annotations

import sqlite3
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from txregistry.eviction.gauge import Gauge
from txregistry.eviction.reservations import Reservation, Reservations
from txregistry.interfaces.driver import DiskSpace, DriverError
from txregistry.interfaces.eviction import SpaceUsage
from txregistry.interfaces.expiry import LedgerAway
from txregistry.spec.digest import Digest

SPACE = DiskSpace(1000, 400)


class GaugeTests(SynchronousTestCase):
    """A ledger and a disk that answer, or do not."""

    def setUp(self) -> None:
        self.bytes: Any = succeed(100)
        self.disk: Any = succeed(SPACE)
        self.held = Reservations()
        self.gauge = Gauge(self, self, self.held)

    def stored(self) -> Deferred[int]:
        return self.bytes

    def space(self) -> Deferred[DiskSpace]:
        return self.disk

    def measured(self) -> SpaceUsage:
        return self.successResultOf(self.gauge.measure())

    def test_sum(self) -> None:
        """What is stored, promised, still to come, and waits."""
        made = Reservation(Digest.of(b"a"), 50, lambda *_: None, lambda *_: None)
        made.wrote(20)
        self.held.add(made)
        self.held.idle[Digest.of(b"b")] = 7
        self.assertEqual(self.measured(), SpaceUsage(100, 50, 30, 7, SPACE))

    def test_ledger_is_away(self) -> None:
        """What was known last is told."""
        self.measured()
        for error in (LedgerAway("gone"), sqlite3.OperationalError("disk I/O error")):
            self.bytes = fail(error)
            self.assertEqual(self.measured().stored, 100)

    def test_disk_does_not_say(self) -> None:
        """Then nothing is known of it, as where there is none."""
        self.disk = fail(DriverError("filesystem", "/", "Input/output error"))
        self.assertIsNone(self.measured().disk)
        self.assertIsNone(
            self.successResultOf(Gauge(self, None, self.held).measure()).disk
        )
