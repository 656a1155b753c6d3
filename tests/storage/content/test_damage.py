"""Content that was damaged on disk is never served, and got anew where it can be."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.deferred import deferred
from txregistry.interfaces.blobs import BlobMount
from txregistry.interfaces.driver import DriverError
from txregistry.spec.digest import Digest, IncrementalHash
from txregistry.spec.globs import Glob
from txregistry.spec.reference import RepositoryName
from txregistry.storage.content import verdicts
from txregistry.storage.content.integrity import Integrity
from txregistry.storage.tree import layout
from txregistry.storagedriver.inmemory import MemoryDriver, MemoryReader
from txregistry.testing.house import ONE_UPSTREAM, TestHouse

SIZE = 300_000

#: As it is while no disk fails.
HASH = MemoryReader.hash

#: What can happen to a file while nobody looks.
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda content: content[: SIZE // 2],
    "emptied": lambda content: b"",
    "flipped": lambda content: content[:1000] + b"\0\0\0\0" + content[1004:],
    "flipped at the end": lambda content: content[:-4] + b"\0\0\0\0",
    "longer": lambda content: content + b"more",
    "zeroed": lambda content: bytes(SIZE),
}


class DamageCase(SynchronousTestCase):
    """A registry, or a cache, with a blob in it, that is started anew."""

    def setUp(self) -> None:
        self.house = TestHouse()
        self.content = os.urandom(SIZE)

    @property
    def driver(self) -> MemoryDriver:
        assert isinstance(self.house.driver, MemoryDriver)
        return self.house.driver

    def put(self, content: bytes) -> None:
        """Put something where the blob is."""
        path = layout.blob_data(self.digest)
        self.successResultOf(self.driver.put(path=path, content=content))

    def forget(self, is_kept: bool = True) -> None:
        """Forget what a process remembers, and perhaps what it has written."""
        integrity = self.house.content.integrity
        self.successResultOf(integrity.flush())
        integrity._found.clear()
        if not is_kept:
            database = integrity._database
            self.successResultOf(
                database.run(lambda db: db.execute("DELETE FROM verified"))
            )
        self.successResultOf(self.house.content._caches.forget(self.digest))

    def aside(self) -> list[str]:
        """Give what was set aside."""
        paths = self.house.paths()
        return [path for path in paths if path.startswith(layout.DAMAGED)]

    def assert_aside(self, content: bytes) -> None:
        """The damaged file is there to be looked at, and nothing holds on to it."""
        (path,) = self.aside()
        self.assertIn(self.digest.hex, path)
        self.assertEqual(self.successResultOf(self.driver.get(path=path)), content)
        labels = {"type": "blob", "upstream": "upstream.example"}
        self.assertEqual(self.house.count("registry_proxy_damaged_total", **labels), 1)
        self.assertFalse(self.house.content.leases.held(self.digest))


class RegistryTests(DamageCase):
    """A registry, which has no other copy."""

    def setUp(self) -> None:
        super().setUp()
        self.digest = Digest.of(self.content)
        self.push()

    def push(self) -> None:
        path = f"/v2/a/blobs/uploads/?digest={self.digest}"
        kind = "application/octet-stream"
        pushed = self.house.send("POST", path, self.content, Content_Type=kind)
        self.assertEqual(pushed.status, 201)

    def statuses(self) -> tuple[int, int]:
        path = f"/v2/a/blobs/{self.digest}"
        head, get = self.house.send("HEAD", path), self.house.send("GET", path)
        self.assertIn(get.body, (self.content, get.body if get.status == 404 else b""))
        return head.status, get.status

    def test_every_damage(self) -> None:
        """It is missing, for HEAD as for GET, before and after a restart."""
        for name, damage in DAMAGES.items():
            for restarted, is_kept in ((False, True), (True, True), (True, False)):
                with self.subTest(name, restarted=restarted, is_kept=is_kept):
                    self.setUp()
                    self.put(damage(self.content))
                    if restarted:
                        self.forget(is_kept)
                    self.assertEqual(self.statuses(), (404, 404))
                    self.assert_aside(damage(self.content))
                    self.assertEqual(len(self.flushLoggedErrors()), 0)

    def test_lost_by_the_disk(self) -> None:
        """A GET that meets a bad sector is cut off; the next one is a clean 404."""
        error = OSError(errno.EIO, "Input/output error")
        self.patch(MemoryReader, "hash", lambda *_, **__: fail(error))
        self.patch(MemoryReader, "read", lambda *_, **__: fail(error))
        path = f"/v2/a/blobs/{self.digest}"
        first = self.house.send("GET", path)
        self.assertTrue(first.broken or first.status == 503)
        self.assertEqual(self.house.send("GET", path).status, 404)
        self.assert_aside(self.content)
        self.flushLoggedErrors()

    def test_lost_for_a_moment(self) -> None:
        """What the disk gives again stays; an error of another kind says nothing."""
        read, path = MemoryReader.read, f"/v2/a/blobs/{self.digest}"
        for number in (errno.EIO, errno.EACCES):
            error = OSError(number, os.strerror(number))
            self.patch(MemoryReader, "read", lambda *_, e=error, **__: fail(e))
            self.house.send("GET", path)
            self.patch(MemoryReader, "read", read)
            self.assertEqual(self.house.send("GET", path).status, 200)
        self.assertEqual(self.aside(), [])
        self.flushLoggedErrors()

    def test_file_server_that_is_away(self) -> None:
        """Its errors say nothing: content is read again when it takes a file."""
        read, put = MemoryReader.read, MemoryDriver.put
        path, waiting = f"/v2/a/blobs/{self.digest}", Deferred[None]()

        def late(*args: Any, **words: Any) -> Deferred[None]:
            return waiting.addCallback(lambda _: put(*args, **words))

        error = OSError(errno.EIO, "Input/output error")
        self.patch(MemoryReader, "read", lambda *_, **__: fail(error))
        self.patch(MemoryReader, "hash", lambda *_, **__: fail(error))
        self.patch(MemoryDriver, "put", late)
        self.house.send("GET", path)
        self.assertEqual(self.aside(), [])
        self.patch(MemoryReader, "read", read)
        self.patch(MemoryReader, "hash", HASH)
        waiting.callback(None)
        self.assertEqual(self.house.send("GET", path).status, 200)
        self.assertEqual(self.aside(), [])
        self.flushLoggedErrors()

    def test_whole_disk_is_gone(self) -> None:
        """Nothing is moved where no file can be written either."""
        error = OSError(errno.EIO, "Input/output error")
        told = DriverError("inmemory", "/x", "Input/output error")
        told.__cause__ = error
        self.patch(MemoryReader, "hash", lambda *_, **__: fail(error))
        self.patch(MemoryReader, "read", lambda *_, **__: fail(error))
        self.patch(MemoryDriver, "put", lambda *_, **__: fail(told))
        path = f"/v2/a/blobs/{self.digest}"
        self.house.send("GET", path)
        self.assertNotEqual(self.house.send("GET", path).status, 404)
        self.assertEqual(self.aside(), [])
        self.flushLoggedErrors()

    def test_lost_on_a_full_disk(self) -> None:
        """A disk that has no room answers all the same: it is set aside."""
        error = OSError(errno.EIO, "Input/output error")
        full = DriverError("inmemory", "/x", "No space left on device")
        self.patch(MemoryReader, "hash", lambda *_, **__: fail(error))
        self.patch(MemoryReader, "read", lambda *_, **__: fail(error))
        self.patch(MemoryDriver, "put", lambda *_, **__: fail(full))
        path = f"/v2/a/blobs/{self.digest}"
        self.house.send("GET", path)
        self.assertEqual(self.house.send("GET", path).status, 404)
        self.flushLoggedErrors()

    def test_lost_before_it_was_verified(self) -> None:
        """Content that has to be read first is told from what is there, too."""
        self.forget(is_kept=False)
        error = OSError(errno.EIO, "Input/output error")
        self.patch(MemoryReader, "hash", lambda *_, **__: fail(error))
        path = f"/v2/a/blobs/{self.digest}"
        first = self.house.send("GET", path)
        self.assertNotEqual((first.status, first.broken), (200, False))
        self.assertEqual(self.house.send("GET", path).status, 404)
        self.assert_aside(self.content)
        self.flushLoggedErrors()

    def test_get_first(self) -> None:
        """A GET finds damage without a HEAD before it."""
        self.put(b"x" * SIZE)
        got = self.house.send("GET", f"/v2/a/blobs/{self.digest}")
        self.assertEqual(got.status, 404)
        self.assertIn(b"BLOB_UNKNOWN", got.body)
        self.assert_aside(b"x" * SIZE)

    def test_healed_by_a_push(self) -> None:
        """The next push of it heals."""
        self.put(b"x" * SIZE)
        self.assertEqual(self.statuses(), (404, 404))
        self.push()
        self.assertEqual(self.statuses(), (200, 200))

    def test_healed_before_it_was_found(self) -> None:
        """A push over damage that nobody has met leaves nothing to be set aside."""
        self.put(b"x" * SIZE)
        self.push()
        self.assertEqual(self.statuses(), (200, 200))
        self.assertEqual(self.aside(), [])

    def test_not_mounted(self) -> None:
        """What is damaged is not mounted: its client is told to send it."""
        self.put(b"x" * SIZE)
        path = f"/v2/b/blobs/uploads/?mount={self.digest}&from=a"
        self.assertEqual(self.house.send("POST", path).status, 202)
        self.assert_aside(b"x" * SIZE)

    def test_copied(self) -> None:
        """What was copied or restored is read once, and then known again."""
        self.put(self.content)
        self.count_hashes()
        for is_kept, hashed in ((True, 1), (True, 1), (False, 2)):
            self.forget(is_kept)
            self.assertEqual(self.statuses(), (200, 200))
            self.assertEqual(self.statuses(), (200, 200))
            self.assertEqual(self.hashed, hashed)
        self.assertEqual(self.aside(), [])

    def count_hashes(self) -> None:
        self.hashed = 0
        hash_once = Integrity._hash

        def counted(
            integrity: Integrity, digest: Digest, identity: str
        ) -> Deferred[bool | None]:
            self.hashed += 1
            return hash_once(integrity, digest, identity)

        self.patch(Integrity, "_hash", counted)

    def test_not_read_again(self) -> None:
        """What was pushed here is not read again, also after a restart."""
        self.forget()
        self.count_hashes()
        self.assertEqual(self.statuses(), (200, 200))
        self.assertEqual(self.hashed, 0)

    def test_cannot_be_set_aside(self) -> None:
        """On a disk that takes nothing it is missing all the same, told once."""
        self.put(b"x" * SIZE)

        def refuse(_: object, source: str, destination: str) -> Deferred[None]:
            raise DriverError("inmemory", destination, "read-only")

        self.patch(MemoryDriver, "move", refuse)
        for _ in range(3):
            self.assertEqual(self.statuses(), (404, 404))
        self.assertEqual(self.aside(), [])
        labels = {"type": "blob", "upstream": "upstream.example"}
        self.assertEqual(self.house.count("registry_proxy_damaged_total", **labels), 1)

    def test_damaged_manifest(self) -> None:
        """A manifest that was damaged is set aside too, and healed by a push."""
        config = self.house.send(
            "POST",
            f"/v2/a/blobs/uploads/?digest={Digest.of(b'{}')}",
            b"{}",
            Content_Type="application/octet-stream",
        )
        self.assertEqual(config.status, 201)
        kind = "application/vnd.oci.image.manifest.v1+json"
        manifest = (
            b'{"schemaVersion":2,"mediaType":"%b","config":{"mediaType":'
            b'"application/vnd.oci.image.config.v1+json","digest":"%b","size":2},'
            b'"layers":[]}' % (kind.encode(), str(Digest.of(b"{}")).encode())
        )
        path = "/v2/a/manifests/1"
        put = self.house.send("PUT", path, manifest, Content_Type=kind)
        self.assertEqual(put.status, 201)
        self.digest = Digest.of(manifest)
        self.put(manifest[:-1])
        self.house.content._caches.manifests.drop_everywhere(self.digest)
        for method in ("HEAD", "GET"):
            self.assertEqual(self.house.send(method, path).status, 404, method)
        self.house.clock.advance(2)
        self.assert_aside(manifest[:-1])
        self.house.send("PUT", path, manifest, Content_Type=kind)
        self.assertEqual(self.house.send("GET", path).body, manifest)

    def test_collection_looks_at_links_only(self) -> None:
        """A link to content that nobody has looked into is not dangling."""
        self.put(b"x" * SIZE)
        repository = self.successResultOf(self.house.local.repository("a"))
        removed = repository.blobs.delete_dangling(digest=self.digest)
        self.assertFalse(self.successResultOf(removed))


class LargeTests(RegistryTests):
    """Content so large that it is verified while it is sent."""

    def setUp(self) -> None:
        self.patch(verdicts, "VERIFIED_FIRST_BYTES", 100_000)
        super().setUp()
        hash_at_once = MemoryReader.hash

        async def hash_later(
            reader: MemoryReader, hasher: IncrementalHash, size: int
        ) -> None:
            await deferLater(self.house.clock, 1.0)
            await hash_at_once(reader, hasher, size)

        self.patch(MemoryReader, "hash", deferred(hash_later))

    def statuses(self) -> tuple[int, int]:
        """What is not verified yet begins as if it were whole, and is cut off."""
        path = f"/v2/a/blobs/{self.digest}"
        head, get = self.house.send("HEAD", path), self.house.send("GET", path)
        if get.status == 200 and get.broken:
            self.assertEqual(head.status, 200)
            self.assertLess(len(get.body), int(str(get.length)))
            return self.statuses()
        self.assertEqual(head.status, get.status)
        return super().statuses()

    def test_get_first(self) -> None:
        """A GET is cut off before its end; the next one finds nothing."""
        self.put(b"x" * SIZE)
        path = f"/v2/a/blobs/{self.digest}"
        got = self.house.send("GET", path)
        self.assertEqual((got.status, got.broken), (200, True))
        self.assertEqual(len(got.body), SIZE - 64 * 1024)
        self.assertEqual(self.house.send("GET", path).status, 404)
        self.assert_aside(b"x" * SIZE)

    def test_range(self) -> None:
        """A part is not given either before the whole has its digest."""
        self.put(b"x" * SIZE)
        path = f"/v2/a/blobs/{self.digest}"
        got = self.house.send("GET", path, Range="bytes=10-19")
        self.assertEqual((got.status, got.body, got.broken), (206, b"", True))
        self.put(self.content)
        got = self.house.send("GET", path, Range="bytes=10-19")
        self.assertEqual((got.status, got.body), (206, self.content[10:20]))

    def test_not_mounted(self) -> None:
        """It is mounted, and missing as soon as it was found to be damaged."""
        self.put(b"x" * SIZE)
        path = f"/v2/b/blobs/uploads/?mount={self.digest}&from=a"
        self.assertEqual(self.house.send("POST", path).status, 201)
        self.assertEqual(self.statuses(), (404, 404))
        path = f"/v2/b/blobs/{self.digest}"
        self.assertEqual(self.house.send("GET", path).status, 404)

    def test_many_parts(self) -> None:
        """However many parts are asked for, all is read once."""
        self.put(self.content)
        self.forget(is_kept=False)
        self.count_hashes()
        parts = ",".join(f"{start}-{start + 1}" for start in range(0, 5000, 10))
        path = f"/v2/a/blobs/{self.digest}"
        got = self.house.send("GET", path, Range=f"bytes={parts}")
        self.assertEqual((got.status, got.broken), (206, False))
        self.assertEqual(self.hashed, 1)

    def test_head_has_it_verified(self) -> None:
        """Whoever asks whether it is there has it looked into for the next."""
        self.put(b"x" * SIZE)
        path = f"/v2/a/blobs/{self.digest}"
        self.assertEqual(self.house.send("HEAD", path).status, 200)
        self.house.clock.advance(2)
        self.assertEqual(self.house.send("HEAD", path).status, 404)
        self.assert_aside(b"x" * SIZE)
        self.push()
        self.assertEqual(self.house.send("HEAD", path).status, 200)

    def test_sound(self) -> None:
        """What has its digest is sent whole, to many at once and read once."""
        self.put(self.content)
        self.forget(is_kept=False)
        self.count_hashes()
        path = f"/v2/a/blobs/{self.digest}"
        for _ in range(3):
            got = self.house.send("GET", path)
            self.assertEqual((got.status, got.body), (200, self.content))
        self.assertEqual(self.hashed, 1)


class LocalTests(DamageCase):
    """A cache with local repositories."""

    def setUp(self) -> None:
        table = attrs.evolve(ONE_UPSTREAM, local=(Glob.parse("team/**"),))
        self.house = TestHouse(table=table)
        self.content = os.urandom(SIZE)
        self.digest = self.house.upstream.add_blob("lib/x", self.content)
        self.assertEqual(self.house.get(f"/v2/lib/x/blobs/{self.digest}").status, 200)

    def local(self) -> Any:
        name = RepositoryName("team/app")
        return self.successResultOf(self.house.local.repository(name)).blobs

    def test_no_other_copy(self) -> None:
        """What a local repository holds is kept, as a registry keeps it."""
        mount = BlobMount(self.digest, RepositoryName("lib/x"))
        self.successResultOf(self.local().create(mount=mount))
        self.house.settle(self.house.rebuild.run())
        self.put(b"x" * SIZE)
        self.house.get(f"/v2/lib/x/blobs/{self.digest}")
        for _ in range(3):
            self.house.clock.advance(25 * 3600)
            self.house.settle(self.house.rebuild.purge_partials())
            self.assert_aside(b"x" * SIZE)
        self.successResultOf(self.local().delete(digest=self.digest))
        self.house.settle(self.house.rebuild.purge_partials())
        self.assertEqual(self.aside(), [])


class CacheTests(DamageCase):
    """A cache, which has an upstream."""

    def setUp(self) -> None:
        super().setUp()
        self.digest = self.house.upstream.add_blob("lib/x", self.content)
        self.path = f"/v2/lib/x/blobs/{self.digest}"
        self.assertEqual(self.house.get(self.path).body, self.content)

    def test_every_damage(self) -> None:
        """It is fetched anew in the same request, before and after a restart."""
        for name, damage in DAMAGES.items():
            for restarted, is_kept in ((False, True), (True, True), (True, False)):
                with self.subTest(name, restarted=restarted, is_kept=is_kept):
                    self.setUp()
                    self.put(damage(self.content))
                    if restarted:
                        self.forget(is_kept)
                    got = self.house.get(self.path)
                    self.assertEqual((got.status, got.body), (200, self.content))
                    self.assertIn("fwd=miss", got.header("Cache-Status") or "")
                    self.assert_aside(damage(self.content))
                    got = self.house.get(self.path)
                    self.assertEqual((got.status, got.body), (200, self.content))
                    self.assertIn("hit", got.header("Cache-Status") or "")
                    gets = self.house.upstream.count("GET", "/blobs/")
                    self.assertEqual(gets, 2)

    def test_lost_by_the_disk(self) -> None:
        """After one GET that met a bad sector the upstream is asked again."""
        error = OSError(errno.EIO, "Input/output error")
        read, hashed = MemoryReader.read, MemoryReader.hash
        self.patch(MemoryReader, "read", lambda *_, **__: fail(error))
        self.patch(MemoryReader, "hash", lambda *_, **__: fail(error))
        self.house.get(self.path)
        self.patch(MemoryReader, "read", read)
        self.patch(MemoryReader, "hash", hashed)
        got = self.house.get(self.path)
        self.assertEqual((got.status, got.body), (200, self.content))
        self.assertIn("fwd=miss", got.header("Cache-Status") or "")
        self.assert_aside(self.content)
        self.flushLoggedErrors()

    def test_head(self) -> None:
        """HEAD tells what GET will give: what the upstream has."""
        self.put(b"x")
        head = self.house.head(self.path)
        self.assertEqual(head.status, 200)
        self.assertEqual(head.header("Content-Length"), str(SIZE))

    def test_not_linked_elsewhere(self) -> None:
        """Another repository does not get damaged content either."""
        self.house.upstream.add_blob("lib/y", self.content)
        self.put(b"x" * SIZE)
        got = self.house.get(f"/v2/lib/y/blobs/{self.digest}")
        self.assertEqual((got.status, got.body), (200, self.content))
        self.assert_aside(b"x" * SIZE)

    def test_kept_for_a_day(self) -> None:
        """What was set aside is deleted after a day, as the upstream has it."""
        self.put(b"x" * SIZE)
        self.house.get(self.path)
        self.house.settle(self.house.rebuild.run())
        for hours, left in ((23, 1), (2, 0)):
            self.house.clock.advance(hours * 3600)
            self.house.settle(self.house.rebuild.purge_partials())
            self.assertEqual(len(self.aside()), left, hours)

    def test_links_that_are_not_known(self) -> None:
        """Nothing of it is deleted before the tree was scanned."""
        self.put(b"x" * SIZE)
        self.house.get(self.path)
        self.house.clock.advance(25 * 3600)
        self.house.settle(self.house.rebuild.purge_partials())
        self.assertEqual(len(self.aside()), 1)
        self.house.settle(self.house.rebuild.run())
        self.house.settle(self.house.rebuild.purge_partials())
        self.assertEqual(self.aside(), [])

    def test_look_at_the_tree(self) -> None:
        """A look at the whole tree, as at a start, reads no content."""
        self.forget(is_kept=False)

        def refuse(integrity: Integrity, *_: object) -> Deferred[bool | None]:
            raise AssertionError("it reads all content")

        self.patch(Integrity, "_hash", refuse)
        self.house.settle(self.house.rebuild.run())
