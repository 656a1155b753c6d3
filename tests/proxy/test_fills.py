"""All downloads of one upstream."""

from __future__ import annotations

import os

from twisted.application.service import MultiService
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.interfaces.blobs import IBlobFetcher, IBlobReader
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobUnknown, UpstreamFailed, UpstreamUnavailable
from txregistry.spec.reference import RepositoryName
from txregistry.storage.tree import layout
from txregistry.testing.answers import Got
from txregistry.testing.house import TestHouse
from txregistry.testing.upstream import Fault


class CrowdTests(SynchronousTestCase):
    """More blobs than may be downloaded at once."""

    def test_clients_that_leave(self) -> None:
        """Clients that left leave no more downloads than there may be, and no queue."""
        house = TestHouse()
        house.fills._turns.limit(2, 16)
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
        self.assertFalse(house.fills._turns)

    def test_two_who_wait_for_one_blob(self) -> None:
        """Clients that wait for the same blob share one download."""
        house = TestHouse()
        house.fills._turns.limit(1, 16)
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

    def test_retired(self) -> None:
        """It leaves its parent with the last download, those that wait included."""
        parent = MultiService()
        self.fills.setServiceParent(parent)
        self.fills.limit(90.0, 1)
        other = self.upstream.add_blob("lib/x", b"other")
        asked = [
            self.house.ask("GET", f"/v2/lib/x/blobs/{digest}")
            for digest in (self.digest, other)
        ]
        self.house.pump()
        self.fills.retire()
        self.assertEqual(list(parent), [self.fills])
        for done in asked:
            self.assertEqual(self.house.settle(done).status, 200)
        self.house.clock.advance(1)
        self.assertEqual(list(parent), [])

    def test_retired_while_idle(self) -> None:
        """Without downloads it leaves at once."""
        parent = MultiService()
        self.fills.setServiceParent(parent)
        self.fills.retire()
        self.assertEqual(list(parent), [])

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


class FetchTests(SynchronousTestCase):
    """Downloads that no client waits for."""

    def setUp(self) -> None:
        self.house = TestHouse()
        self.fills, self.upstream = self.house.fills, self.house.upstream
        self.upstream.rate = 200_000

    def tearDown(self) -> None:
        self.assertEqual(self.fills._fetchers, {})
        self.assertFalse(self.fills._turns)

    def limit(self, fills: int = 32, rate: float = 0.0, connections: int = 16) -> None:
        self.fills.limit(90.0, fills, rate, connections)

    def blob(self, size: int = 400_000, *names: str) -> Digest:
        content = os.urandom(size)
        for name in names or ("lib/x",):
            digest = self.upstream.add_blob(name, content)
        return digest

    def fetch(self, digest: Digest, name: str = "lib/x") -> Deferred[Descriptor]:
        found = RepositoryName.parse(name)
        blobs = self.house.settle(self.house.proxy.repository(found)).blobs
        return blobs.fetch(digest=digest)

    def ask(self, digest: Digest) -> Deferred[Got]:
        return self.house.ask("GET", f"/v2/lib/x/blobs/{digest}")

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.05)):
            self.house.pump()
            self.house.clock.advance(0.05)

    def gets(self, digest: Digest) -> int:
        return self.upstream.count("GET", f"/blobs/{digest}")

    def test_contract(self) -> None:
        """The blobs of a cache can be fetched ahead."""
        repository = self.house.settle(self.house.proxy.repository(house_name()))
        self.assertTrue(verifyObject(IBlobFetcher, repository.blobs))

    def test_stored(self) -> None:
        """It is stored and linked, without a reader, and once."""
        digest = self.blob()
        for _ in range(2):
            found = self.house.settle(self.fetch(digest))
            self.assertEqual((found.digest, found.size), (digest, 400_000))
        self.upstream.blobs.clear()
        self.assertEqual(self.house.settle(self.ask(digest)).status, 200)
        self.assertEqual(self.gets(digest), 1)
        self.assertEqual(self.house.timers(), [])

    def test_of_another_repository(self) -> None:
        """Content that is here is linked, when the upstream has confirmed it."""
        digest = self.blob(1000, "lib/x", "lib/y")
        self.house.settle(self.fetch(digest))
        self.house.settle(self.fetch(digest, "lib/y"))
        self.assertEqual(self.upstream.count("GET", "/lib/y/blobs/"), 0)
        self.assertEqual(self.upstream.count("HEAD", "/lib/y/blobs/"), 1)
        self.assertRaises(BlobUnknown, self.house.settle, self.fetch(digest, "lib/z"))

    def test_failures(self) -> None:
        """It fails as the upstream does, and can be tried again."""
        digest = self.blob()
        none = Digest.of(b"none")
        self.assertRaises(BlobUnknown, self.house.settle, self.fetch(none))
        self.upstream.faults.append(Fault("/blobs/", times=9, status=500))
        self.assertRaises(UpstreamFailed, self.house.settle, self.fetch(digest))
        self.upstream.faults.clear()
        self.house.settle(self.fetch(digest))

    def test_refused_to_another(self) -> None:
        """What another repository is refused is asked for in the name of this one."""
        digest = self.blob(400_000, "lib/x")
        refusal = Fault("/lib/y/", times=9, status=403)
        self.upstream.faults.append(refusal)
        refused = self.house.ask("GET", f"/v2/lib/y/blobs/{digest}")
        while self.house.wire.pump():
            pass
        fetched = self.fetch(digest)
        self.assertEqual(self.house.settle(refused).status, 403)
        self.house.settle(fetched)

    def test_breaks_off(self) -> None:
        """It is resumed as often as it moves; content that is wrong is not."""
        digest = self.blob(2_000_000)
        self.upstream.rate = 0
        self.upstream.faults.append(Fault("/blobs/", times=99, cut_after=70_000))
        self.house.settle(self.fetch(digest))
        self.assertGreater(self.gets(digest), 20)
        self.upstream.faults[:] = [Fault("/blobs/", times=99, corrupt=1000)]
        self.assertRaises(UpstreamFailed, self.house.settle, self.fetch(self.blob()))
        self.assertEqual(self.upstream.faults[0].times, 98)

    def test_gives_way(self) -> None:
        """A client's download takes its place, and it goes on afterwards."""
        for limits in ({"fills": 1}, {"connections": 2}, {"connections": 1}):
            self.setUp()
            self.limit(**limits)
            ahead, wanted = self.blob(), self.blob()
            fetched = self.fetch(ahead)
            self.pass_time(1)
            self.assertEqual(list(self.fills._running), [ahead])
            got = self.ask(wanted)
            self.pass_time(1)
            self.assertEqual(list(self.fills._running), [wanted])
            self.assertEqual(self.house.settle(got).status, 200)
            self.house.settle(fetched)
            self.assertEqual((self.gets(ahead), self.gets(wanted)), (2, 1))
            again = [a for a in self.upstream.asked if str(ahead) in a.path][-1]
            self.assertIn("range", again.headers)

    def test_order(self) -> None:
        """Of those that wait a client's is first, whoever came first."""
        self.limit(fills=1)
        first, ahead, wanted = self.blob(), self.blob(), self.blob()
        running = self.ask(first)
        self.pass_time(0.5)
        fetched, got = self.fetch(ahead), self.ask(wanted)
        for done in (running, got, fetched):
            self.house.settle(done)
        order = [a.path for a in self.upstream.asked if a.method == "GET"]
        wanted_order = [f"/v2/lib/x/blobs/{d}" for d in (first, wanted, ahead)]
        self.assertEqual(order, wanted_order)

    def test_wanted_after_all(self) -> None:
        """A client that wants it joins, and it gives way no more."""
        self.limit(fills=1)
        ahead, other = self.blob(), self.blob()
        fetched = self.fetch(ahead)
        self.pass_time(0.5)
        got = self.ask(ahead)
        self.pass_time(0.5)
        later = self.ask(other)
        self.assertEqual(self.house.settle(got).status, 200)
        self.house.settle(fetched)
        self.house.settle(later)
        self.assertEqual(self.gets(ahead), 1)

    def test_wanted_while_it_waits(self) -> None:
        """It begins for the client, out of turn, and is downloaded once."""
        self.limit(connections=2)
        first, ahead = self.blob(), self.blob()
        running = self.ask(first)
        self.pass_time(0.5)
        fetched = self.fetch(ahead)
        self.pass_time(0.2)
        self.assertEqual(self.gets(ahead), 0)
        got = self.ask(ahead)
        for done in (got, running, fetched):
            self.house.settle(done)
        self.assertEqual(self.gets(ahead), 1)

    def test_client_leaves(self) -> None:
        """What it has begun goes on for who fetches ahead."""
        digest = self.blob()
        got = self.ask(digest)
        got.addErrback(lambda _: None)
        self.pass_time(0.5)
        fetched = self.fetch(digest)
        got.cancel()
        self.house.settle(fetched)
        self.assertEqual(self.gets(digest), 1)

    def test_share_of_connections(self) -> None:
        """They use at most half of those, also when nobody else wants any."""
        self.limit(connections=9)
        fetched = [self.fetch(self.blob()) for _ in range(10)]
        self.pass_time(0.5)
        self.assertEqual(len(self.fills._running), 4)
        for done in fetched:
            self.house.settle(done)

    def test_share_of_the_rate(self) -> None:
        """A client's download takes as long as if it were alone."""
        self.upstream.rate = 0
        self.limit(rate=200_000)
        fetched = self.fetch(self.blob(2_000_000))
        self.pass_time(1)
        began = self.house.clock.seconds()
        got = self.house.settle(self.ask(self.blob(1_000_000)))
        self.assertEqual(got.status, 200)
        self.assertLess(self.house.clock.seconds() - began, 6)
        self.house.settle(fetched)

    def test_cancelled(self) -> None:
        """Who fetches ahead may end it: what has come is kept."""
        digest = self.blob()
        fetched = self.fetch(digest)
        self.pass_time(1)
        fetched.cancel()
        self.failureResultOf(fetched, CancelledError)
        self.pass_time(1)
        self.assertIsNone(self.fills.find(digest))
        self.assertIn(layout.fill_data(digest), self.house.paths())
        self.assertEqual(self.house.timers(), [])

    def test_cancelled_while_others_want_it(self) -> None:
        """It goes on for them, be they a client or somebody else ahead of one."""
        for other in (self.ask, self.fetch):
            digest = self.blob()
            fetched, wanted = self.fetch(digest), other(digest)
            self.pass_time(0.5)
            fetched.cancel()
            self.failureResultOf(fetched, CancelledError)
            self.house.settle(wanted)
            self.assertEqual(self.gets(digest), 1)

    def test_cancelled_while_it_waits(self) -> None:
        """It leaves the queue."""
        self.limit(fills=1)
        running = self.ask(self.blob())
        self.pass_time(0.5)
        fetched = self.fetch(self.blob())
        self.pass_time(0.2)
        fetched.cancel()
        self.failureResultOf(fetched, CancelledError)
        self.house.settle(running)

    def test_stopped(self) -> None:
        """It fails when the cache ends."""
        fetched = self.fetch(self.blob())
        self.pass_time(0.5)
        self.house.settle(self.fills.stopService())
        self.assertRaises(UpstreamFailed, self.house.settle, fetched)
