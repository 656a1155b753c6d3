"""A cache on a small disk, with blobs of a thousand bytes."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.limited import LimitedDriver
from txregistry.eviction.plan import SpacePlan
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName
from txregistry.storage.tree import layout
from txregistry.testing.answers import Got
from txregistry.testing.house import TestHouse

SIZE = 1000


class RoomCase(SynchronousTestCase):
    """A house whose tree was scanned, and that looks at its disk."""

    plan = SpacePlan(5 * SIZE)
    pins: tuple[str, ...] = ()
    more: dict[str, Any] = {}

    def setUp(self) -> None:
        clock = Clock()
        clock.advance(1_700_000_000)
        self.driver = LimitedDriver(clock, 1000 * SIZE)
        self.contents: dict[Digest, bytes] = {}
        self.house = self.make()

    def make(self) -> TestHouse:
        house = TestHouse(
            clock=self.driver._clock,
            driver=self.driver,
            space=self.plan,
            pins=self.pins,
            ttl=0.0,
            **self.more,
        )
        house.scheduler.startService()
        house.room.startService()
        return house

    def tearDown(self) -> None:
        self.house.settle(self.house.room.stopService())
        self.house.settle(self.house.scheduler.stopService())
        self.assertFalse(self.house.fills._fills)
        self.assertEqual(self.house.room._reservations._open, set())

    def limit(self, plan: SpacePlan) -> None:
        """Change the limits, as a reload does."""
        self.house.room.follow(plan, self.house.metrics.meter_of)

    def offer(self, size: int = SIZE, name: str = "a") -> Digest:
        content = os.urandom(size)
        digest = self.house.upstream.add_blob(name, content)
        self.contents[digest] = content
        return digest

    def pull(self, digest: Digest, name: str = "a") -> Got:
        """Pull a blob, which has to be right, and let a second pass."""
        got = self.house.get(f"/v2/{name}/blobs/{digest}")
        self.assertEqual((got.status, got.broken), (200, False))
        self.assertEqual(got.body, self.contents[digest])
        self.house.clock.advance(1)
        return got

    def is_stored(self, digest: Digest) -> bool:
        return layout.blob_data(digest) in self.house.paths()

    def stored(self, digests: list[Digest]) -> list[bool]:
        return [self.is_stored(digest) for digest in digests]

    def taken(self) -> int:
        return self.successResultOf(self.house.ledger.stored())

    def is_linked(self, digest: Digest, name: str = "a") -> bool:
        link = layout.layer_link(RepositoryName(name), digest)
        return link in self.house.paths()
