"""Two processes over one directory: what one does the other sees at once."""

from __future__ import annotations

import os
from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.namespaces import Local, shared_house
from txregistry.interfaces.blobs import BlobMount, IBlobWriter
from txregistry.interfaces.driver import DriverError
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import (
    BlobUnknown,
    BlobUploadUnknown,
    ManifestUnknown,
    NameUnknown,
)
from txregistry.spec.manifest.parse import parse
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storage.tree import layout
from txregistry.testing.repositories import image_manifest

NAME = RepositoryName("a/b")
CONTENT = os.urandom(300_000)
DIGEST = Digest.of(CONTENT)


class SharedCase(SynchronousTestCase):
    """Two processes, as far as a test can have them."""

    def setUp(self) -> None:
        self.root = self.mktemp()
        self.one = Local(self, shared_house(self.root))
        self.other = Local(self, shared_house(self.root, self.one.house.clock))

    def repo(self, process: Local, name: str = "a/b") -> Any:
        return process.repository(name)

    def ok(self, done: Deferred[Any]) -> Any:
        return self.one.settle(done)

    def names(self, done: Deferred[Any]) -> list[str]:
        return [str(found) for found in self.ok(done)]

    def push(self, note: str, *tags: str, subject: Digest | None = None) -> Digest:
        content = image_manifest(note=note, subject=subject)
        return self.one.put_manifest("a/b", content, *tags)


class LinkTests(SharedCase):
    """Links, tags and lists are read, and not remembered."""

    def test_deleted_manifest(self) -> None:
        """One that was served before is gone, with its tags."""
        digest = self.push("x", "v1")
        manifests, tags = self.repo(self.other).manifests, self.repo(self.other).tags
        self.ok(manifests.get(digest=digest))
        self.ok(manifests.get(digest=digest))
        self.ok(self.repo(self.one).manifests.delete(digest=digest))
        with self.assertRaises(ManifestUnknown):
            self.ok(manifests.get(digest=digest))
        with self.assertRaises(ManifestUnknown):
            self.ok(tags.get(tag=Tag("v1")))
        self.push("x", "v1")
        self.ok(manifests.get(digest=digest))

    def test_remembered_manifest(self) -> None:
        """Its content is not read again: only its link is."""
        digest = self.push("x")
        manifests = self.repo(self.other).manifests
        self.ok(manifests.get(digest=digest))
        os.unlink(f"{self.root}{layout.blob_data(digest)}")
        self.assertEqual(self.ok(manifests.get(digest=digest)).digest, digest)

    def test_deleted_blob(self) -> None:
        """One that was served before is gone."""
        self.one.put_blob("a/b", CONTENT)
        blobs = self.repo(self.other).blobs
        self.ok(blobs.stat(digest=DIGEST))
        self.ok(self.repo(self.one).blobs.delete(digest=DIGEST))
        with self.assertRaises(BlobUnknown):
            self.ok(blobs.stat(digest=DIGEST))
        with self.assertRaises(BlobUnknown):
            self.ok(blobs.open(digest=DIGEST))

    def test_tags(self) -> None:
        """New ones, moved ones, and those that are gone."""
        tags = self.repo(self.other).tags
        with self.assertRaises(NameUnknown):
            self.ok(tags.list())
        first = self.push("x", "a", "b")
        self.assertEqual(self.names(tags.list()), ["a", "b"])
        self.assertEqual(self.names(tags.lookup(digest=first)), ["a", "b"])
        second = self.push("y", "b", "c")
        self.assertEqual(self.names(tags.list()), ["a", "b", "c"])
        self.assertEqual(self.ok(tags.get(tag=Tag("b"))).digest, second)
        self.assertEqual(self.names(tags.lookup(digest=first)), ["a"])
        self.ok(self.repo(self.one).tags.untag(tag=Tag("a")))
        self.assertEqual(self.names(tags.list(after="b")), ["c"])

    def test_names(self) -> None:
        """The catalogue."""
        namespace = self.other.namespace
        self.assertEqual(self.names(namespace.repositories()), [])
        self.one.put_blob("a/b", CONTENT)
        self.one.put_manifest("c", image_manifest())
        self.assertEqual(self.names(namespace.repositories()), ["a/b", "c"])
        self.ok(self.repo(self.one).blobs.delete(digest=DIGEST))
        self.assertEqual(self.names(namespace.repositories()), ["c"])

    def test_referrers(self) -> None:
        """What refers to a manifest, once it is there and until it is deleted."""
        subject = self.push("subject")
        referrers = self.repo(self.other).referrers
        self.assertEqual(self.ok(referrers.list(digest=subject)), [])
        wanted = self.push("signature", subject=subject)
        for _ in range(2):
            found = self.ok(referrers.list(digest=subject))
            self.assertEqual([item.descriptor.digest for item in found], [wanted])
        self.ok(self.repo(self.one).manifests.delete(digest=wanted))
        self.assertEqual(self.ok(referrers.list(digest=subject)), [])

    def test_mount(self) -> None:
        """A blob of one process is mounted by the other."""
        self.one.put_blob("a/b", CONTENT)
        mount = BlobMount(DIGEST, NAME)
        created = self.ok(self.repo(self.other, "c/d").blobs.create(mount=mount))
        self.assertEqual(created.digest, DIGEST)
        self.assertEqual(
            self.ok(self.repo(self.one, "c/d").blobs.stat(digest=DIGEST)).size,
            len(CONTENT),
        )

    def test_index_is_not_written(self) -> None:
        """Nobody would read it."""
        self.push("x", "v1")
        self.ok(self.repo(self.one).tags.untag(tag=Tag("v1")))
        self.assertFalse(self.one.house.reconciler.index._pending)


class UploadTests(SharedCase):
    """Uploads are begun at one process and ended at another."""

    def begin(self, process: Local) -> str:
        return self.ok(self.repo(process).blobs.begin()).upload_id

    def resume(self, process: Local, upload_id: str) -> Deferred[IBlobWriter]:
        blobs = self.repo(process).blobs
        return blobs.resume(upload_id=upload_id, check=lambda status: None)

    def write(self, process: Local, upload_id: str, content: bytes) -> IBlobWriter:
        writer = self.ok(self.resume(process, upload_id))
        writer.write(content)
        return writer

    def commit(self, writer: IBlobWriter, content: bytes) -> Descriptor:
        wanted = Descriptor(Digest.of(content), len(content))
        return self.ok(writer.commit(provisional=wanted))

    def read(self, process: Local) -> bytes:
        return process.house.send("GET", f"/v2/a/b/blobs/{DIGEST}").body

    def test_in_turns(self) -> None:
        """Each chunk at another process, with the hash state of the one before."""
        upload = self.begin(self.one)
        status = self.ok(self.repo(self.other).blobs.status(upload))
        self.assertEqual(status.size, 0)
        done = 0
        for end, process in (
            (10, self.other),
            (100_000, self.one),
            (100_001, self.other),
            (200_000, self.other),
            (250_000, self.one),
        ):
            self.ok(self.write(process, upload, CONTENT[done:end]).close())
            done = end
            for looking in (self.one, self.other):
                found = self.ok(self.repo(looking).blobs.status(upload))
                self.assertEqual(found.size, done)
        writer = self.write(self.other, upload, CONTENT[done:])
        self.commit(writer, CONTENT)
        for process in (self.one, self.other):
            self.assertEqual(self.read(process), CONTENT)
            with self.assertRaises(BlobUploadUnknown):
                self.ok(self.repo(process).blobs.status(upload))
        self.assertEqual(self.open_files(), [])

    def open_files(self) -> list[str]:
        place = "/proc/self/fd"
        found = []
        for name in os.listdir(place):
            try:
                found.append(os.readlink(f"{place}/{name}"))
            except FileNotFoundError:
                continue  # that of the listing itself
        return [path for path in found if path.startswith(os.path.abspath(self.root))]

    def test_two_at_once(self) -> None:
        """The second is refused while the first writes, and spoils nothing."""
        upload = self.begin(self.one)
        first = self.write(self.one, upload, CONTENT[:100_000])
        self.ok(first.flush())
        with self.assertRaises(DriverError):
            self.ok(self.resume(self.other, upload))
        first.write(CONTENT[100_000:])
        self.commit(first, CONTENT)
        self.assertEqual(self.read(self.other), CONTENT)
        self.assertEqual(self.open_files(), [])

    def test_refused_while_it_is_stored(self) -> None:
        """Until the file is at its place nobody else can write to it."""
        upload = self.begin(self.one)
        writer = self.write(self.one, upload, CONTENT)
        apply = self.one.house.driver.apply
        refused: list[bool] = []

        def applied(changes: Any) -> Any:
            with self.assertRaises(DriverError):
                self.ok(self.resume(self.other, upload))
            refused.append(True)
            return apply(changes)

        with patch.object(type(self.one.house.driver), "apply", side_effect=applied):
            self.commit(writer, CONTENT)
        self.assertEqual(refused, [True])
        self.assertEqual(self.read(self.one), CONTENT)

    def test_hashed_once_it_is_open(self) -> None:
        """What changed between the look and the lock is hashed as it is now."""
        upload = self.begin(self.one)
        self.ok(self.write(self.one, upload, b"x" * 100_000).close())
        path = f"{self.root}{layout.upload_data(NAME, upload)}"
        states = f"{self.root}{layout.upload_hash_states(NAME, upload)}"
        opened = type(self.one.house.driver).writer

        def replaced(driver: Any, *args: Any, **kwargs: Any) -> Any:
            with open(path, "wb") as file:
                file.write(CONTENT[:100_000])
            for name in os.listdir(f"{states}/sha256"):
                os.unlink(f"{states}/sha256/{name}")
            return opened(driver, *args, **kwargs)

        with patch.object(type(self.one.house.driver), "writer", replaced):
            writer = self.ok(self.resume(self.other, upload))
        writer.write(CONTENT[100_000:])
        self.commit(writer, CONTENT)
        self.assertEqual(self.read(self.one), CONTENT)

    def test_sound_content_is_not_replaced(self) -> None:
        """Who reads it elsewhere reads on; damage is replaced, as ever."""
        self.one.put_blob("a/b", CONTENT)
        path = f"{self.root}{layout.blob_data(DIGEST)}"
        before = os.stat(path).st_ino
        self.one.put_blob("c/d", CONTENT)
        self.assertEqual(os.stat(path).st_ino, before)
        with open(path, "r+b") as file:
            file.write(b"damaged")
        self.one.put_blob("e/f", CONTENT)
        self.assertNotEqual(os.stat(path).st_ino, before)
        self.assertEqual(self.read(self.other), CONTENT)

    def test_cancelled_elsewhere(self) -> None:
        """An upload that was given up at one is unknown at the other."""
        upload = self.begin(self.one)
        self.ok(self.write(self.one, upload, CONTENT).close())
        self.ok(self.ok(self.resume(self.other, upload)).cancel())
        with self.assertRaises(BlobUploadUnknown):
            self.ok(self.resume(self.one, upload))


class CacheTests(SharedCase):
    """What a cache does not do where others use the storage."""

    def test_nothing_expires(self) -> None:
        """One process does not know what others use."""
        house = self.one.house
        digest = house.upstream.add_blob("a/b", CONTENT)
        self.assertEqual(house.get(f"/v2/a/b/blobs/{digest}").body, CONTENT)
        house.scheduler.startService()
        house.clock.pump([house.ttl, 60.0, 60.0])
        self.ok(house.scheduler.stopService())
        self.ok(self.repo(self.other).blobs.stat(digest=digest))
        self.ok(house.rebuild.export_state())
        self.assertNotIn("scheduler-state.json", os.listdir(self.root))


class ManifestTests(SharedCase):
    """Manifests that are pushed at both."""

    def test_same_manifest(self) -> None:
        """Twice the same is no change."""
        content = image_manifest(note="same")
        for process in (self.one, self.other):
            process.put_manifest("a/b", content, "v1")
        found = self.ok(self.repo(self.one).manifests.get(digest=parse(content).digest))
        self.assertEqual(found.content, content)


class LooksTests(SharedCase):
    """How often the storage is asked."""

    def test_blob(self) -> None:
        """For a blob: its link, and its file."""
        self.one.put_blob("a/b", CONTENT)
        self.other.house.send("GET", f"/v2/a/b/blobs/{DIGEST}")
        seen: list[tuple[str, str]] = []
        driver = self.other.house.driver
        for verb in ("get", "stat", "reader"):
            real = getattr(driver, verb)

            def asked(_: Any, path: str, verb: str = verb, real: Any = real) -> Any:
                seen.append((verb, path))
                return real(path)

            self.patch(type(driver), verb, asked)
        link, data = layout.layer_link(NAME, DIGEST), layout.blob_data(DIGEST)
        for method, last in (("GET", "reader"), ("HEAD", "stat")):
            self.other.house.send(method, f"/v2/a/b/blobs/{DIGEST}")
            self.assertEqual(seen, [("get", link), (last, data)])
            seen.clear()
