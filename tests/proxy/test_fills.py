"""All downloads of one upstream."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.blobs import IBlobReader
from txregistry.spec.errors import BlobUnknown, UpstreamUnavailable
from txregistry.spec.reference import RepositoryName
from txregistry.storage.tree import layout
from txregistry.testing.house import TestHouse


class CrowdTests(SynchronousTestCase):
    """More blobs than may be downloaded at once."""

    def test_clients_that_leave(self) -> None:
        """Clients that left leave no more downloads than there may be, and no queue."""
        house = TestHouse()
        house.fills._max_fills = 2
        house.upstream.rate = 100_000
        blobs = [bytes([65 + n]) * 900_000 for n in range(5)]
        digests = [house.upstream.add_blob("lib/x", blob) for blob in blobs]
        repository = house.settle(house.proxy.repository(house_name()))
        for digest in digests[:4]:
            reader = house.settle(repository.blobs.open(digest=digest))
            reader.close()
            self.assertLessEqual(len(house.fills._fills), 2)
        got = house.settle(house.ask("GET", f"/v2/lib/x/blobs/{digests[4]}"))
        self.assertEqual((got.status, got.body), (200, blobs[4]))
        self.assertFalse(house.fills._queue)

    def test_two_who_wait_for_one_blob(self) -> None:
        """Clients that wait for the same blob share one download."""
        house = TestHouse()
        house.fills._max_fills = 1
        house.upstream.rate = 100_000
        first, second = (
            house.upstream.add_blob("lib/x", letter * 200_000)
            for letter in (b"a", b"b")
        )
        paths = [f"/v2/lib/x/blobs/{digest}" for digest in (first, second, second)]
        asked = [house.ask("GET", path) for path in paths]
        self.assertEqual([house.settle(one).status for one in asked], [200] * 3)
        self.assertEqual(house.upstream.count("GET", str(second)), 1)


def house_name() -> RepositoryName:
    return RepositoryName.parse("lib/x")


class FillsTests(SynchronousTestCase):
    """Downloads, joined or begun."""

    def setUp(self) -> None:
        self.house = TestHouse()
        self.fills, self.upstream = self.house.fills, self.house.upstream
        self.upstream.rate = 100_000
        self.content = b"x" * 300_000
        self.digest = self.upstream.add_blob("lib/x", self.content)
        self.upstream.add_blob("lib/y", self.content)

    def join(self, name: str = "lib/x") -> Deferred[IBlobReader]:
        found = RepositoryName.parse(name)
        blobs = self.house.settle(self.house.proxy.repository(found)).blobs
        return blobs.open(digest=self.digest)

    def test_joined(self) -> None:
        """Whoever comes later follows the same download."""
        readers = [self.house.settle(self.join()) for _ in range(3)]
        self.assertIsNotNone(self.fills.find(self.digest))
        self.assertEqual(self.upstream.count("GET", "/blobs/"), 1)
        for reader in readers:
            self.assertEqual(reader.size, len(self.content))
            reader.close()

    def test_confirmed_once(self) -> None:
        """Another repository is asked about once, for all who want the blob of it."""
        first = self.house.settle(self.join())
        for done in [self.join("lib/y") for _ in range(3)]:
            self.house.settle(done).close()
        self.house.settle(self.join("lib/y")).close()
        self.assertEqual(self.upstream.count("HEAD", "/lib/y/blobs/"), 1)
        first.close()

    def test_not_there(self) -> None:
        """A repository that has not got it is refused, and the download goes on."""
        first = self.house.settle(self.join())
        self.assertRaises(BlobUnknown, self.house.settle, self.join("lib/z"))
        self.assertIsNotNone(self.fills.find(self.digest))
        first.close()

    def test_stopped(self) -> None:
        """The end of the service ends all downloads, keeps their bytes, begins none."""
        reader = self.house.settle(self.join())
        self.house.settle(self.fills.stopService())
        self.assertIsNone(self.fills.find(self.digest))
        self.assertIn(layout.fill_data(self.digest), self.house.paths())
        self.assertRaises(UpstreamUnavailable, self.house.settle, self.join())
        reader.close()
        self.assertEqual(self.house.count("registry_proxy_fills_in_flight"), 0)
