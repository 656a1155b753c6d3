"""What an upstream does not have is not asked for at once again."""

from __future__ import annotations

import json

from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.remote.client import Limits
from txregistry.remote.missing import MAX_BYTES, MissingPaths
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.testing.house import TestHouse
from txregistry.testing.repositories import image_manifest
from txregistry.testing.upstream import Fault

PATH = "/v2/a/manifests/b"
NONE = Digest.of(b"none")

#: What there is not, with the code of its error.
ABSENT = {
    "/v2/lib/x/manifests/none": "MANIFEST_UNKNOWN",
    f"/v2/lib/x/manifests/{NONE}": "MANIFEST_UNKNOWN",
    f"/v2/lib/x/blobs/{NONE}": "BLOB_UNKNOWN",
    "/v2/none/tags/list": "NAME_UNKNOWN",
}


class PathsTests(SynchronousTestCase):
    """The memory alone."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.paths = MissingPaths(10.0, self.clock)

    def test_for_a_while(self) -> None:
        """An answer counts for its time, and is then forgotten."""
        self.paths.remember("GET", PATH)
        self.clock.advance(9.9)
        self.assertTrue(self.paths.has(PATH))
        self.assertFalse(self.paths.has(f"{PATH}c"))
        self.clock.advance(0.1)
        self.assertFalse(self.paths.has(PATH))
        self.assertEqual(len(self.paths), 0)

    def test_what_is_not_remembered(self) -> None:
        """A HEAD, other APIs, and anything when it is switched off."""
        self.paths.remember("HEAD", PATH)
        self.paths.remember("GET", f"/v2/a/referrers/{NONE}")
        self.paths.remember("GET", "/v2/_catalog")
        off = MissingPaths(0.0, self.clock)
        off.remember("GET", PATH)
        self.assertEqual((len(self.paths), len(off)), (0, 0))

    def test_forgotten(self) -> None:
        """One path is asked for again, and no other."""
        for path in (PATH, f"{PATH}c"):
            self.paths.remember("GET", path)
        self.paths.forget(PATH)
        self.assertFalse(self.paths.has(PATH))
        self.assertTrue(self.paths.has(f"{PATH}c"))

    def test_clock_is_set_back(self) -> None:
        """An answer from the future does not count for longer."""
        self.clock.advance(3600)
        self.paths.remember("GET", PATH)
        self.clock.rightNow -= 1800
        self.assertFalse(self.paths.has(PATH))

    def test_bounded(self) -> None:
        """A client that asks for any names does not fill the memory."""
        for number in range(20_000):
            self.paths.remember("GET", f"{PATH}{number}")
        self.assertLess(len(self.paths), MAX_BYTES / 500)
        self.assertTrue(self.paths.has(f"{PATH}19999"))
        self.assertFalse(self.paths.has(f"{PATH}0"))


class CacheTests(SynchronousTestCase):
    """A cache with ``proxy.negativettl``."""

    def use(self, seconds: float) -> None:
        self.house = TestHouse(limits=Limits(negative=seconds))
        self.house.upstream.add_manifest("lib/x", image_manifest(), "v1")

    def asked(self) -> int:
        return len(self.house.upstream.asked)

    def test_each_kind(self) -> None:
        """It is asked for once in ten seconds, by GET or HEAD."""
        for path, code in ABSENT.items():
            self.use(10.0)
            self.assertEqual(self.house.get(path).status, 404)
            before = self.asked()
            self.house.clock.advance(9)
            got = self.house.get(path)
            self.assertEqual(got.status, 404)
            self.assertEqual(json.loads(got.body)["errors"][0]["code"], code)
            status = got.header("Cache-Status")
            self.assertEqual(status, "txregistry; hit; detail=negative")
            self.assertEqual(self.house.head(path).status, 404)
            self.assertEqual(self.asked(), before, path)
            self.house.clock.advance(1)
            self.assertEqual(self.house.get(path).status, 404)
            self.assertGreater(self.asked(), before, path)

    def test_head_first(self) -> None:
        """A tag that a HEAD has found missing by GET costs the GET nothing."""
        self.use(10.0)
        self.assertEqual(self.house.head("/v2/lib/x/manifests/none").status, 404)
        before = self.asked()
        self.assertEqual(self.house.get("/v2/lib/x/manifests/none").status, 404)
        self.assertEqual(self.asked(), before)

    def test_off(self) -> None:
        """With 0 each question is asked."""
        self.use(0.0)
        for path in ABSENT:
            self.house.get(path)
            before = self.asked()
            self.house.get(path)
            self.assertGreater(self.asked(), before, path)

    def test_appears(self) -> None:
        """What comes into being is found when the time is over."""
        self.use(10.0)
        self.house.get("/v2/lib/x/manifests/v2")
        self.house.upstream.add_manifest("lib/x", image_manifest(note="2"), "v2")
        self.assertEqual(self.house.get("/v2/lib/x/manifests/v2").status, 404)
        self.house.clock.advance(10)
        self.assertEqual(self.house.get("/v2/lib/x/manifests/v2").status, 200)

    def test_refreshed(self) -> None:
        """Who asks for a tag anew does not get what was remembered."""
        self.use(10.0)
        path = "/v2/lib/x/manifests/v2"
        self.assertEqual(self.house.get(path).status, 404)
        digest = self.house.upstream.add_manifest(
            "lib/x", image_manifest(note="2"), "v2"
        )
        name = RepositoryName.parse("lib/x")
        repository = self.house.settle(self.house.proxy.repository(name=name))
        found = self.house.settle(repository.tags.refresh(tag=Tag("v2")))
        self.assertEqual(found.digest, digest)
        self.assertEqual(self.house.get(path).status, 200)

    def test_other_errors(self) -> None:
        """Only an answer is remembered that something is missing."""
        self.use(10.0)
        for status in (401, 403, 429, 500):
            fault = Fault("/v2/", times=9, status=status)
            self.house.upstream.faults[:] = [fault]
            self.assertNotEqual(self.house.get("/v2/lib/x/manifests/v1").status, 404)
        self.house.upstream.faults.clear()
        self.house.upstream_wire.refused = Refused()
        self.assertEqual(self.house.get("/v2/lib/x/manifests/v1").status, 502)
        self.house.upstream_wire.refused = None
        self.assertEqual(self.house.get("/v2/lib/x/manifests/v1").status, 200)
