"""A scrub of a cache: what the disk has lost is fetched again."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.assembly.scrub import assemble_scrubber
from txregistry.interfaces.expiry import Kind
from txregistry.interfaces.scrub import (
    Holder,
    IHealer,
    ScrubOptions,
    ScrubOutcome,
    ScrubReport,
)
from txregistry.proxy.healing import Healer
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName
from txregistry.storage.tree import layout
from txregistry.storagedriver.inmemory import MemoryDriver
from txregistry.testing.house import TestHouse
from txregistry.testing.upstream import Fault

SIZE = 300_000
NAME = "lib/x"
INDEX = "application/vnd.oci.image.index.v1+json"


class HealingTests(SynchronousTestCase):
    """A cache with a blob and a manifest of an upstream."""

    def setUp(self) -> None:
        self.house = TestHouse()
        self.content = os.urandom(SIZE)
        self.manifest = b'{"schemaVersion":2,"mediaType":"%b","manifests":[]}' % (
            INDEX.encode()
        )
        upstream = self.house.upstream
        self.blob = upstream.add_blob(NAME, self.content)
        self.index = upstream.add_manifest(NAME, self.manifest, "1")
        self.paths = {
            self.blob: f"/v2/{NAME}/blobs/{self.blob}",
            self.index: f"/v2/{NAME}/manifests/{self.index}",
        }
        for path in self.paths.values():
            self.assertEqual(self.house.get(path, Accept=INDEX).status, 200)
        self.healer = Healer(
            lambda: self.house.proxy,
            self.house.content,
        )
        self.scrubber = assemble_scrubber(
            self.house.stored,
            self.healer,
            True,
            self.house.metrics.scrub,
            self.house.clock,
            self.house.clock,
        )

    def rot(self, digest: Digest) -> None:
        driver = self.house.driver
        assert isinstance(driver, MemoryDriver)
        content = driver._files[layout.blob_data(digest)].content
        content[len(content) // 2] ^= 1

    def scrub(self) -> ScrubReport:
        done = self.scrubber.scrub(ScrubOptions(), lambda _: None)
        return self.house.settle(done)

    def outcomes(self, report: ScrubReport) -> list[ScrubOutcome]:
        return [finding.outcome for finding in report.findings]

    def assert_served(self, is_hit: bool) -> None:
        for path in self.paths.values():
            got = self.house.get(path, Accept=INDEX)
            self.assertIn(got.body, (self.content, self.manifest))
            self.assertEqual("hit" in (got.header("Cache-Status") or ""), is_hit, path)

    def test_healed(self) -> None:
        """Blob and manifest are fetched anew, before anybody asks for them."""
        verifyObject(IHealer, self.healer)
        asked = len(self.house.upstream.asked)
        for digest in self.paths:
            self.rot(digest)
        report = self.scrub()
        self.assertEqual(self.outcomes(report), [ScrubOutcome.HEALED] * 2)
        self.assertEqual((report.damaged, report.healed), (2, 2))
        self.assertEqual(self.house.count("registry_scrub_healed_total"), 2)
        self.assertGreater(len(self.house.upstream.asked), asked)
        asked = len(self.house.upstream.asked)
        self.assert_served(is_hit=True)
        self.assertEqual(len(self.house.upstream.asked), asked)
        self.assertEqual(self.scrub().damaged, 0)
        self.assertEqual(len(self.house.fills._fills), 0)
        self.assertFalse(self.house.content.leases.held(self.blob))

    def test_upstream_is_away(self) -> None:
        """It is set aside, and a miss once the upstream is back."""
        for digest in self.paths:
            self.rot(digest)
        fault = Fault("/v2/", times=1000, status=503)
        self.house.upstream.faults.append(fault)
        report = self.scrub()
        self.assertEqual(self.outcomes(report), [ScrubOutcome.SET_ASIDE] * 2)
        self.assertEqual((report.damaged, report.healed), (2, 0))
        fault.times = 0
        self.house.clock.advance(3600)
        self.assert_served(is_hit=False)

    def test_content_that_nobody_links(self) -> None:
        """It is set aside, and fetched for nobody."""
        self.rot(self.blob)
        repository = self.house.settle(
            self.house.local.repository(RepositoryName(NAME))
        )
        self.house.settle(repository.blobs.delete(digest=self.blob))
        asked = len(self.house.upstream.asked)
        report = self.scrub()
        self.assertEqual(self.outcomes(report), [ScrubOutcome.SET_ASIDE])
        self.assertEqual(len(self.house.upstream.asked), asked)

    def test_another_repository_has_it(self) -> None:
        """What one repository may not have any more is fetched for the next."""
        self.house.upstream.add_blob("lib/y", self.content)
        self.house.get(f"/v2/lib/y/blobs/{self.blob}")
        del self.house.upstream.blobs[NAME, str(self.blob)]
        self.rot(self.blob)
        report = self.scrub()
        self.assertEqual(self.outcomes(report), [ScrubOutcome.HEALED])
        self.assertEqual(report.findings[0].repositories, (NAME, "lib/y"))

    def test_stopped(self) -> None:
        """A stop does not wait for a slow upstream; what came is kept."""
        self.house.upstream.rate = 1000
        self.rot(self.blob)
        done = self.scrubber.scrub(ScrubOptions(), lambda _: None)
        for _ in range(50):
            self.house.pump()
            self.house.clock.advance(0.1)
        self.assertNoResult(done)
        done.cancel()
        self.assertFalse(self.successResultOf(done).complete)
        self.house.pump()
        self.assertEqual(len(self.house.fills._fills), 0)
        self.house.settle(self.house.fills.stopService())

    def test_wrong_answer(self) -> None:
        """An upstream that sends damaged content heals nothing."""
        self.rot(self.blob)
        self.house.upstream.faults.append(
            Fault("/blobs/", times=1000, corrupt=SIZE // 2)
        )
        holder = Holder(RepositoryName(NAME), Kind.BLOB)
        self.house.settle(self.house.content.damage.set_aside(self.blob, None))
        report = self.scrub()
        self.assertEqual(self.outcomes(report), [ScrubOutcome.SET_ASIDE])
        healed = self.healer.heal(self.blob, [holder])
        self.assertFalse(self.house.settle(healed))
