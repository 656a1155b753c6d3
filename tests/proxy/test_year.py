"""A year of a cache that nobody looks after, in seconds."""

from __future__ import annotations

import json
import random
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.limited import LimitedDriver
from txregistry.eviction.plan import SpacePlan
from txregistry.expiry.ledger_sqlite import SqliteLedger
from txregistry.flow.disk import InlineDisk
from txregistry.spec import mediatypes
from txregistry.spec.digest import Digest
from txregistry.spec.freshness import TagPolicy
from txregistry.storage.tree import layout
from txregistry.testing.house import TestHouse
from txregistry.testing.upstream import Fault

DAY = 86_400.0
TTL = 7 * DAY
IMAGES = 10
LAYER = 3_000
DISK = 150_000

#: Layers that were used since one that has to be there still; what is stored of these,
#: of the next one, and of manifests and configurations fits.
KEPT = 5
ROOM = (KEPT + 2) * LAYER + 9_000


class YearTests(SynchronousTestCase):
    """Outages, restarts, a full disk, tags that move and clocks that jump."""

    def setUp(self) -> None:
        self.random = random.Random(19)
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.driver = LimitedDriver(self.clock, DISK)
        self.ledger_path = self.mktemp()
        self.house = self.make()
        self.start()
        self.versions = dict.fromkeys(range(IMAGES), 0)
        self.pulled: dict[int, float] = {}
        # Layers by their last use, and the last one of each image.
        self.used: dict[str, None] = {}
        self.layers: dict[int, str] = {}
        self.made_room = 0.0
        for number in range(IMAGES):
            self.move(number)

    def make(self) -> TestHouse:
        return TestHouse(
            clock=self.clock,
            driver=self.driver,
            given_ledger=SqliteLedger(self.ledger_path, InlineDisk()),
            ttl=TTL,
            policy=TagPolicy(3600.0),
            space=SpacePlan(max_bytes=ROOM),
        )

    def start(self) -> None:
        self.house.scheduler.startService()
        self.house.room.startService()

    def stop(self) -> None:
        house = self.house
        for service in (house.room, house.scheduler, house.fills, house.behind):
            done = service.stopService()
            if done is not None:
                house.settle(done)
        house.settle(house.ledger.close())
        labels = {"type": "blob", "upstream": "upstream.example"}
        self.made_room += house.count("registry_proxy_made_room_total", **labels)

    def restart(self) -> None:
        """Begin another process on what the last one has left."""
        self.stop()
        before, self.house = self.house.upstream, self.make()
        upstream = self.house.upstream
        upstream.blobs, upstream.manifests = before.blobs, before.manifests
        upstream.faults = before.faults
        self.start()

    def move(self, number: int) -> None:
        """Let a tag stand for another image."""
        self.versions[number] += 1
        name, upstream = f"org/image{number}", self.house.upstream
        described = []
        for part, size in (("config", 50), ("layer", LAYER)):
            content = f"{part} {number} {self.versions[number]}".encode().ljust(size)
            digest = upstream.add_blob(name, content)
            kind = "application/octet-stream"
            described.append(
                {"mediaType": kind, "digest": str(digest), "size": len(content)}
            )
        image = {"schemaVersion": 2, "mediaType": mediatypes.OCI_MANIFEST}
        document = {**image, "config": described[0], "layers": described[1:]}
        upstream.add_manifest(name, json.dumps(document).encode(), "latest")

    def pull(self, number: int) -> bool:
        """Pull an image whole, as a client does; tell whether all of it came."""
        base = f"/v2/org/image{number}"
        got = self.house.get(f"{base}/manifests/latest")
        if got.status != 200:
            return False
        image: dict[str, Any] = json.loads(got.body)
        for part in (image["config"], *image["layers"]):
            blob = self.house.get(f"{base}/blobs/{part['digest']}")
            if blob.status != 200 or blob.broken:
                return False
            self.assertEqual(str(Digest.of(blob.body)), part["digest"])
        layer = image["layers"][0]["digest"]
        self.used.pop(layer, None)
        self.used[layer] = None
        self.layers.pop(number, None)
        # On a full disk it was passed through, unless it was there already.
        path = layout.blob_data(Digest.parse(layer))
        if not self.driver.ballast or path in self.house.paths():
            self.layers[number] = layer
        return True

    def is_kept(self, number: int) -> bool:
        """Tell whether an image was used lately, by time and by what came since."""
        is_young = self.clock.seconds() - self.pulled.get(number, 0) < TTL
        newest = list(self.used)[-KEPT - 1 :]
        return is_young and self.layers.get(number) in newest

    def pass_hours(self, hours: float) -> None:
        for _ in range(round(hours / 3)):
            self.clock.advance(3 * 3600)
            self.house.pump()

    def trouble(self, day: int) -> None:
        """Let happen what happens on a day."""
        upstream = self.house.upstream
        if day % 13 == 5:
            status = self.random.choice((429, 500, 503))
            upstream.faults.append(Fault("/v2/", 10**6, status=status))
        elif day % 13 == 7:
            upstream.faults.clear()
        if day % 17 == 3:
            self.driver.ballast = DISK
        elif day % 17 == 4:
            self.driver.ballast = 0
        if day % 19 == 9:
            self.restart()
        if day % 23 == 11:
            self.clock.advance(self.random.choice((-3600.0, 3600.0)))
        for number in range(IMAGES):
            if self.random.random() < 0.05:
                self.move(number)

    def test_year(self) -> None:
        """What was asked for lately is served, and in the end nothing is left."""
        failed = 0
        for day in range(365):
            self.trouble(day)
            for number in self.random.sample(range(IMAGES), 2):
                self.pass_hours(3)
                is_away = bool(self.house.upstream.faults)
                was_here = self.is_kept(number)
                if self.pull(number):
                    if not self.driver.ballast:
                        self.pulled[number] = self.clock.seconds()
                    continue
                failed += 1
                self.assertTrue(is_away, (day, number))
                self.assertFalse(was_here, (day, number))
            self.pass_hours(18)
            stored = self.house.settle(self.house.ledger.stored())
            self.assertLessEqual(stored, ROOM, day)
        # An upstream that is away for what nobody has asked for lately.
        self.assertLess(failed, 100)
        self.check_served()
        self.check_nothing_left()
        self.assertGreater(self.made_room, 20)

    def check_served(self) -> None:
        """Cut the link: whatever was pulled lately, as far as it fits, comes."""
        self.house.upstream.faults.append(Fault("/v2/", 10**6, status=503))
        lately = [number for number in self.pulled if self.is_kept(number)]
        self.assertGreaterEqual(len(lately), KEPT)
        for number in lately:
            self.assertTrue(self.pull(number), number)

    def check_nothing_left(self) -> None:
        """Nobody asks any more: files, rows, downloads and timers go."""
        self.pass_hours(24 * 9)
        entries = self.house.settle(self.house.ledger.entries())
        self.assertEqual(entries, [])
        left = [
            path
            for path in self.house.paths()
            if path.startswith((layout.BLOBS, layout.REPOSITORIES, layout.FILLS))
        ]
        self.assertEqual(left, [])
        self.assertEqual(self.house.fills.under_way, [])
        self.assertEqual(self.house.settle(self.house.ledger.stored()), 0)
        self.stop()
        self.pass_hours(3)
        self.assertLess(len(self.house.timers()), 5, self.house.timers())
