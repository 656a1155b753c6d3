"""What else lies in people's directories: it is passed over, and it stays."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.deferred import deferred
from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.collection import CollectOptions, CollectReport
from txregistry.interfaces.driver import DriverError
from txregistry.spec import mediatypes
from txregistry.spec.digest import Digest
from txregistry.storage.gc.garbage import Collector
from txregistry.storage.tree import layout
from txregistry.storage.uploads.purge import UploadPurger
from txregistry.storagedriver.filesystem import scandir, stat
from txregistry.storagedriver.filesystem.driver import FilesystemDriver
from txregistry.testing.house import TestHouse
from txregistry.testing.repositories import image_manifest

#: What file systems, file servers and desktops leave.
JUNK = (
    "@eaDir",
    "#recycle",
    "#snapshot",
    "lost+found",
    "~snapshot",
    "System Volume Information",
    ".Trash-0",
    ".snapshot",
    ".zfs",
    ".DS_Store",
    "Thumbs.db",
    "a:b",
    "f\u00fcr sp\u00e4ter",
    "\udcff\udcfe",
    "$RECYCLE.BIN",
)
HEX = "a" * 64


class ForeignTests(SynchronousTestCase):
    """A registry and a cache on a disk with junk in every directory."""

    def setUp(self) -> None:
        self.root = Path(self.mktemp())
        clock = Clock()
        clock.advance(1_700_000_000)
        self.driver = FilesystemDriver(str(self.root), InlineDisk())
        self.house = TestHouse(clock=clock, driver=self.driver)
        self.unreadable: set[str] = set()
        self.refuse(stat, "listdir")
        self.refuse(scandir, "scandir")

    def refuse(self, module: object, function: str) -> None:
        """Let no one read some directories, whoever the tests run as."""
        real = getattr(os, function)

        def read(path: str) -> object:
            if any(part in self.unreadable for part in str(path).split("/")):
                raise PermissionError(13, "Permission denied", path)
            return real(path)

        class Os:
            def __getattr__(self, name: str) -> object:
                return read if name == function else getattr(os, name)

        self.patch(module, "os", Os())

    def spoil(self) -> None:
        """Put junk into every directory there is, each with a file in it."""
        for directory, _, _ in list(os.walk(self.root)):
            for name in JUNK:
                place = os.path.join(os.fsencode(directory), os.fsencode(name))
                os.makedirs(place, exist_ok=True)
                with open(os.path.join(place, b"data"), "wb") as file:
                    file.write(b"not ours")
        self.unreadable = {".Trash-0", "@eaDir"}

    def age(self) -> None:
        """Let all that there is be old."""
        for directory, _, files in os.walk(os.fsencode(self.root)):
            for name in files:
                os.utime(os.path.join(directory, name), (1e9, 1e9))

    def junk(self) -> int:
        """Count the files of junk."""
        walk = os.walk(os.fsencode(self.root))
        known = {os.fsencode(name) for name in JUNK}
        return sum(os.path.basename(path) in known for path, _, _ in walk)

    def push(self, name: str, content: bytes, tag: str) -> Digest:
        """Push an image that is made of some content; give its digest."""
        url = f"/v2/{name}/blobs/uploads/?digest={Digest.of(content)}"
        kind = "application/octet-stream"
        pushed = self.house.send("POST", url, content, Content_Type=kind)
        self.assertEqual(pushed.status, 201)
        manifest = image_manifest(Digest.of(content))
        url = f"/v2/{name}/manifests/{tag}"
        kind = mediatypes.OCI_MANIFEST
        put = self.house.send("PUT", url, manifest, Content_Type=kind)
        self.assertEqual(put.status, 201, put.body)
        return Digest.of(manifest)

    def collect(self) -> CollectReport:
        house = self.house
        collector = Collector(self.driver, house.content, house.local, house.clock)
        options = CollectOptions(delete_untagged=True, grace_seconds=0.0)
        done: Deferred[CollectReport] = collector.collect(options, lambda _: None)
        return house.settle(done)

    def test_registry(self) -> None:
        """Catalogue, tags, pulls, purge and collection, and then a push again."""
        kept, gone = b"kept" * 100, b"gone" * 100
        self.push("a/b", kept, "v1")
        digest = self.push("c", gone, "v1")
        begun = self.house.send("POST", "/v2/a/b/blobs/uploads/")
        self.assertEqual(begun.status, 202)
        self.house.settle(self.house.pending_uploads.stopService())
        self.spoil()
        self.age()
        before = self.junk()
        self.house.clock.advance(1e6)
        listed = self.house.send("GET", "/v2/_catalog").body
        self.assertEqual(json.loads(listed)["repositories"], ["a/b", "c"])
        listed = self.house.send("GET", "/v2/a/b/tags/list").body
        self.assertEqual(json.loads(listed)["tags"], ["v1"])
        deleted = self.house.send("DELETE", f"/v2/c/manifests/{digest}")
        self.assertEqual(deleted.status, 202)
        report = self.collect()
        self.assertEqual((report.blobs_deleted, report.broken), (2, []))
        purged = UploadPurger(self.driver, self.house.clock).purge(before=2e9)
        report = self.house.settle(purged)
        self.assertEqual(len(report.deleted), 1)
        path = f"/v2/a/b/blobs/{Digest.of(kept)}"
        self.assertEqual(self.house.send("GET", path).body, kept)
        self.push("c", gone, "v2")
        self.assertLess(before - self.junk(), before / 2)

    def test_cache(self) -> None:
        """What expires goes, and what nobody links."""
        content = os.urandom(1000)
        digest = self.house.upstream.add_blob("lib/x", content)
        self.assertEqual(self.house.get(f"/v2/lib/x/blobs/{digest}").body, content)
        orphan = Digest.of(b"orphan")
        path = layout.blob_data(orphan)
        self.successResultOf(self.driver.put(path=path, content=b"orphan"))
        self.spoil()
        self.age()
        house = self.house
        house.scheduler.startService()
        house.settle(house.scheduler.tick())
        self.assertFalse((self.root / path[1:]).exists())
        self.assertTrue((self.root / layout.blob_data(digest)[1:]).exists())
        house.clock.advance(2 * house.ttl)
        house.settle(house.scheduler.tick())
        self.assertFalse((self.root / layout.blob_data(digest)[1:]).exists())
        house.settle(house.rebuild.purge_partials())
        self.assertTrue((self.root / "txregistry/.Trash-0/data").exists())

    def test_unreadable_repository(self) -> None:
        """It stops a collection, which says which, and nothing else."""
        self.push("a", b"a" * 100, "v1")
        self.push("secret", b"b" * 100, "v1")
        self.unreadable = {"secret"}
        house = self.house
        listed = house.send("GET", "/v2/_catalog").body
        self.assertEqual(json.loads(listed)["repositories"], ["a"])
        error = self.assertRaises(DriverError, self.collect)
        self.assertIn("/repositories/secret", str(error))
        house.settle(house.rebuild.run())
        ledger = house.settle(house.ledger.entries())
        found = {str(entry.key.repository) for entry in ledger}
        self.assertEqual(found, {"a"})
        report = house.settle(UploadPurger(self.driver, house.clock).purge(before=0))
        self.assertEqual(len(report.failed), 1)
        self.assertIn("secret", report.failed[0])

    def test_longest_names(self) -> None:
        """A repository with the longest name there can be is one as any other."""
        for name in (
            "my_team/" + ("b" * 49 + "/") * 4 + "c" * 46,
            "docker.io/" + ("b" * 49 + "/") * 5 + "c" * 5,
        ):
            with self.subTest(name):
                self.setUp()
                content = os.urandom(100)
                self.push(name, content, "v1")
                self.age()
                self.house.clock.advance(1e6)
                self.assertEqual(self.collect().blobs_deleted, 0)
                self.house.settle(self.house.rebuild.run())
                path = f"/v2/{name}/blobs/{Digest.of(content)}"
                self.assertEqual(self.house.send("GET", path).body, content)
                listed = self.house.send("GET", "/v2/_catalog").body
                self.assertEqual(json.loads(listed)["repositories"], [name])

    def test_child_that_cannot_be_looked_at(self) -> None:
        """One bad entry of a directory hides no other."""
        for name in ("a", "b", "c"):
            self.successResultOf(self.driver.put(path=f"/x/{name}", content=b"1"))
        (self.root / "x/b").unlink()
        (self.root / "x/b").symlink_to("b")
        told: list[str] = []

        async def walk(**how: Any) -> list[str]:
            return [item.path async for item in self.driver.walk(path="/x", **how)]

        def tell(error: DriverError) -> None:
            told.append(error.path)

        found = self.successResultOf(deferred(walk)(unreadable=tell))
        self.assertEqual((found, told), (["/x/a", "/x/c"], ["/x/b"]))
        self.failureResultOf(deferred(walk)(), DriverError)

    def test_deleted_with_junk_in_it(self) -> None:
        """What is ours goes; a directory stays for what cannot be deleted."""
        self.successResultOf(self.driver.put(path="/x/y/z/data", content=b"1"))
        for name in ("@eaDir", "x y"):
            (self.root / "x/y/z" / name).mkdir()
        real = os.rmdir

        def rmdir(path: str, **how: object) -> None:
            if str(path).endswith("@eaDir"):
                raise PermissionError(13, "Permission denied")
            real(path, **how)  # type: ignore[arg-type]

        self.patch(os, "rmdir", rmdir)
        self.successResultOf(self.driver.delete(path="/x"))
        left = sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*"))
        self.assertEqual(left, ["x", "x/y", "x/y/z", "x/y/z/@eaDir"])
        self.assertEqual(self.successResultOf(self.driver.list(path="/x/y/z")), [])
