"""An upstream and its mirrors, over the wire."""

from __future__ import annotations

import os

import attrs
from twisted.trial.unittest import SynchronousTestCase

from tests.namespaces import Remote
from txregistry.flow.shared_rate import SharedRate
from txregistry.proxy.download import DownloadContext
from txregistry.proxy.fills import Fills
from txregistry.remote.mirrors import MirroredNamespace
from txregistry.remote.missing import MissingPaths
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobUnknown, ManifestUnknown, UpstreamFailed
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.testing.house import TestHouse
from txregistry.testing.repositories import image_manifest, namespace_suite
from txregistry.testing.upstream import FakeUpstream, Fault

CONTENT = os.urandom(400_000)
DIGEST = Digest.of(CONTENT)
MANIFEST = image_manifest()


class Mirrored(Remote):
    """An upstream whose only mirror has nothing: all comes from the upstream."""

    @property
    def namespace(self):
        if not hasattr(self, "made"):
            empty = TestHouse(clock=self.house.clock, upstream_url="http://m.example")
            self.house.further_wires.append(empty.upstream_wire)
            self.made = MirroredNamespace([empty.remote, self.house.remote])
        return self.made


MirroredTests = namespace_suite(lambda case: Mirrored(case, TestHouse()))


class OrderTests(SynchronousTestCase):
    """Who is asked, and who next."""

    def setUp(self) -> None:
        self.house = TestHouse()
        self.houses = [self.house]
        for name in ("second", "first"):
            url = f"http://{name}.example"
            other = TestHouse(clock=self.house.clock, upstream_url=url)
            self.house.further_wires.append(other.upstream_wire)
            self.houses.insert(0, other)
        namespace = MirroredNamespace([house.remote for house in self.houses])
        self.repository = self.settle(namespace.repository(RepositoryName("a")))
        for upstream in self.upstreams:
            upstream.add_blob("a", CONTENT)
            upstream.add_manifest("a", MANIFEST, "v1")

    @property
    def upstreams(self) -> list[FakeUpstream]:
        return [house.upstream for house in self.houses]

    def settle(self, done):
        return self.house.settle(done)

    def asked(self) -> list[int]:
        return [len(upstream.asked) for upstream in self.upstreams]

    def break_down(self, *indexes: int, **fault: object) -> None:
        for index in indexes:
            broken = Fault("/v2/", 10**6, **({"status": 503} | fault))
            self.upstreams[index].faults.append(broken)

    def ask_all(self) -> None:
        """Ask everything once."""
        repository, tag = self.repository, Tag("v1")
        digest = Digest.of(MANIFEST)
        self.assertEqual(
            self.settle(repository.blobs.stat(digest=DIGEST)).size, 400_000
        )
        reader = self.settle(repository.blobs.open(digest=DIGEST))
        reader.close()
        self.assertTrue(self.settle(repository.manifests.exists(digest=digest)))
        self.assertEqual(
            self.settle(repository.manifests.get(digest=digest)).content, MANIFEST
        )
        self.assertEqual(self.settle(repository.tags.get(tag=tag)).digest, digest)
        self.assertEqual(self.settle(repository.tags.resolve(tag=tag)).digest, digest)
        self.assertEqual(self.settle(repository.tags.fetch(tag=tag)).content, MANIFEST)
        self.assertEqual(self.settle(repository.tags.list()), [tag])

    def test_mirrors_first(self) -> None:
        """The first one answers, and nobody else is asked."""
        self.ask_all()
        first, second, upstream = self.asked()
        self.assertGreater(first, 7)
        self.assertEqual((second, upstream), (0, 0))

    def test_asked_anew(self) -> None:
        """A tag that all lacked a moment ago is asked of all again."""
        tags, tag = self.repository.tags, Tag("v2")
        for house in self.houses:
            agents = house.client._agents
            house.client.use(
                attrs.evolve(agents, missing=MissingPaths(10.0, house.clock))
            )
        for _ in range(2):
            self.assertRaises(
                ManifestUnknown, lambda: self.settle(tags.resolve(tag=tag))
            )
        before = self.asked()
        tags.forget_missing(tag=tag)
        digest = self.upstreams[0].add_manifest("a", MANIFEST, "v2")
        self.assertEqual(self.settle(tags.resolve(tag=tag)).digest, digest)
        self.assertGreater(self.asked()[0], before[0])

    def test_next(self) -> None:
        """Whatever ails it, the next one is asked."""
        for fault in (
            {"status": 503},
            {"status": 401},
            {"status": 404},
            {"hang": True},
        ):
            self.setUp()
            self.break_down(0, **{"status": 0, **fault})
            self.ask_all()
            _, second, upstream = self.asked()
            self.assertGreater(second, 7, fault)
            self.assertEqual(upstream, 0, fault)

    def test_the_upstream_is_last(self) -> None:
        """With all mirrors down it answers; with nothing there its answer counts."""
        self.break_down(0, 1)
        self.ask_all()
        other = Digest.of(b"other")
        self.break_down(0, 1)
        for service, error in (
            (self.repository.blobs.stat, BlobUnknown),
            (self.repository.blobs.open, BlobUnknown),
            (self.repository.manifests.get, ManifestUnknown),
        ):
            self.assertRaises(error, self.settle, service(digest=other))

    def test_all_down(self) -> None:
        """What the upstream says is the reason, though mirrors have no such thing."""
        for upstream in self.upstreams[:2]:
            upstream.manifests.clear()
        self.break_down(2)
        done = self.repository.manifests.get(digest=Digest.of(MANIFEST))
        self.assertRaises(UpstreamFailed, self.settle, done)

    def test_referrers(self) -> None:
        """A mirror without signatures does not hide those of the upstream."""
        digest = Digest.of(MANIFEST)
        signature = image_manifest(note="signature", subject=digest)
        self.upstreams[2].add_manifest("a", signature)
        (found,) = self.settle(self.repository.referrers.list(digest=digest))
        self.assertEqual(found.descriptor.digest, Digest.of(signature))
        self.upstreams[2].manifests.clear()
        self.assertEqual(self.settle(self.repository.referrers.list(digest=digest)), [])

    def fill(self) -> bytes:
        """Download the blob as a cache does."""
        context = DownloadContext(
            self.house.partials,
            self.house.clock,
            lambda: 0.5,
            self.house.metrics,
            SharedRate(self.house.clock),
        )
        fills = Fills(context)
        fills.startService()
        adopted = lambda name, descriptor: self.house.ledger.flush()  # noqa: E731
        name = RepositoryName("a")
        self.settle(fills.join(name, DIGEST, self.repository.blobs, adopted))
        fill = fills.find(DIGEST)
        if fill is not None:
            self.settle(fill.ended())
        reader = self.settle(self.house.content.open(digest=DIGEST))
        reader.close()
        return reader.size

    def test_broken_off(self) -> None:
        """A download goes on at the next source where it broke off."""
        fault = Fault("/blobs/", 10, "GET", cut_after=200_000)
        self.upstreams[0].faults.append(fault)
        self.assertEqual(self.fill(), 400_000)
        ranges = [asked.headers.get("range") for asked in self.upstreams[1].asked]
        self.assertEqual(len(ranges), 1)
        self.assertTrue(str(ranges[0]).startswith("bytes="), ranges)
        self.assertNotIn("if-range", self.upstreams[1].asked[0].headers)
        self.assertEqual(self.asked()[2], 0)

    def test_wrong_content(self) -> None:
        """A mirror that sends something else is passed over the next time."""
        self.upstreams[0].faults.append(Fault("/blobs/", 10, "GET", corrupt=1000))
        self.assertRaises(BlobUnknown, self.fill)
        self.assertEqual(self.fill(), 400_000)
        self.assertEqual(self.asked()[1:], [1, 0])
