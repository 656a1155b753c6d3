"""Local storage: uploads, mounts, links, signatures, inventory."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from unittest.mock import patch

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.blobs import (
    BlobMount,
    IBlobDeleter,
    IBlobIngester,
    IBlobWriter,
    IContent,
    ILeases,
    UploadStatus,
)
from txregistry.interfaces.fills import IPartialBlobs
from txregistry.interfaces.manifests import IManifestStore
from txregistry.interfaces.signatures import ISignatureService
from txregistry.interfaces.tags import ITagStore
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import (
    BlobUnknown,
    BlobUploadUnknown,
    DigestInvalid,
    ManifestUnknown,
    SizeInvalid,
)
from txregistry.spec.manifest.parse import parse
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storage.caches.descriptors import MemoryDescriptors
from txregistry.storage.tree import layout
from txregistry.storage.uploads.pending_uploads import HELD_SECONDS
from txregistry.storage.uploads.spooled import SpooledFile
from txregistry.storagedriver.filesystem import appender
from txregistry.storagedriver.filesystem.appender import lent_buffer
from txregistry.storagedriver.filesystem.driver import FilesystemDriver
from txregistry.storagedriver.maker import make_driver
from txregistry.testing.house import TestHouse
from txregistry.testing.repositories import image_manifest

NAME = RepositoryName("a/b")


class StorageCase(SynchronousTestCase):
    """A local registry in memory."""

    def setUp(self) -> None:
        self.house = TestHouse(driver=self.driver())
        self.repository = self.repo("a/b")

    def driver(self):
        return None

    def repo(self, name: str):
        found = self.house.local.repository(RepositoryName(name))
        return self.successResultOf(found)

    def ok(self, done):
        return self.successResultOf(done)

    def upload(self, *chunks: bytes):
        writer = self.ok(self.repository.blobs.create())
        for chunk in chunks:
            writer.write(chunk)
        return writer

    def resume(self, writer: IBlobWriter, size: int = 0) -> Deferred[IBlobWriter]:
        """Go on with an upload that stands somewhere."""

        def check(status: UploadStatus) -> None:
            self.assertEqual((status.upload_id, status.size), (writer.upload_id, size))

        return self.repository.blobs.resume(upload_id=writer.upload_id, check=check)

    def commit(self, content: bytes, algorithm: str = "sha256") -> Descriptor:
        wanted = Descriptor(Digest.of(content, algorithm), len(content))
        return self.ok(self.upload(content).commit(provisional=wanted))

    def exists(self, path: str) -> bool:
        try:
            self.ok(self.house.driver.stat(path))
        except self.failureException:
            return False
        return True


class UploadTests(StorageCase):
    """Taking blobs in."""

    def test_provides_the_interfaces(self) -> None:
        """Optional powers included."""
        verifyObject(IBlobIngester, self.repository.blobs)
        verifyObject(IBlobDeleter, self.repository.blobs)
        verifyObject(IBlobWriter, self.upload(b"x"))
        verifyObject(IManifestStore, self.repository.manifests)
        verifyObject(ITagStore, self.repository.tags)
        verifyObject(ISignatureService, self.repository.signatures)
        verifyObject(IContent, self.house.content)
        verifyObject(ILeases, self.house.content.leases)
        verifyObject(IPartialBlobs, self.house.partials)

    def test_commit(self) -> None:
        """A blob has its data, its link, and no upload any more."""
        found = self.commit(b"content")
        self.assertEqual(found, Descriptor(Digest.of(b"content"), 7))
        self.assertTrue(self.exists(layout.blob_data(found.digest)))
        link = self.ok(self.house.driver.get(layout.layer_link(NAME, found.digest)))
        self.assertEqual(link, str(found.digest).encode())
        if self.exists(layout.uploads(NAME)):
            uploads = self.house.driver.list(layout.uploads(NAME))
            self.assertEqual(self.ok(uploads), [])

    def test_empty_blob(self) -> None:
        """A blob of no bytes."""
        self.assertEqual(self.commit(b"").size, 0)

    def test_alias(self) -> None:
        """A blob named by sha512 is kept by sha256 and found by both."""
        found = self.commit(b"content", "sha512")
        self.assertEqual(found.digest, Digest.of(b"content"))
        alias = Digest.of(b"content", "sha512")
        stat = self.ok(self.repository.blobs.stat(digest=alias))
        self.assertEqual(stat.digest, found.digest)

    def test_wrong_digest(self) -> None:
        """Content that is another is refused, and nothing is linked."""
        writer = self.upload(b"content")
        wanted = Descriptor(Digest.of(b"other"), 7)
        self.failureResultOf(writer.commit(provisional=wanted), DigestInvalid)
        self.ok(writer.cancel())
        self.ok(writer.cancel())
        self.assertEqual(self.house.paths(), [])

    def test_wrong_size(self) -> None:
        """So is content of another length."""
        writer = self.upload(b"content")
        wanted = Descriptor(Digest.of(b"content"), 8)
        self.failureResultOf(writer.commit(provisional=wanted), SizeInvalid)

    def test_resume(self) -> None:
        """An upload goes on where it was, hash included."""
        writer = self.upload(b"one ")
        self.ok(writer.close())
        again = self.ok(self.resume(writer, size=4))
        self.assertEqual((again.size, again.started_at), (4, writer.started_at))
        again.write(b"two")
        wanted = Descriptor(Digest.of(b"one two"), 7)
        self.assertEqual(self.ok(again.commit(provisional=wanted)), wanted)
        self.failureResultOf(self.resume(writer), BlobUploadUnknown)

    def test_started_at_is_distributions(self) -> None:
        """RFC 3339 without a fraction; a broken one is no upload."""
        writer = self.upload(b"")
        path = layout.upload_started_at(NAME, writer.upload_id)
        self.house.clock.advance(HELD_SECONDS)
        text = self.ok(self.house.driver.get(path))
        self.assertEqual(text, b"2023-11-14T22:13:20Z")
        self.ok(self.house.driver.put(path, b"yesterday"))
        self.failureResultOf(self.resume(writer), BlobUploadUnknown)

    def test_repeated_upload_heals(self) -> None:
        """Pushing again over damaged data makes it right."""
        digest = self.commit(b"content").digest
        self.ok(self.house.driver.put(layout.blob_data(digest), b"damaged"))
        self.commit(b"content")
        content = self.ok(self.house.driver.get(layout.blob_data(digest)))
        self.assertEqual(content, b"content")

    def test_delete(self) -> None:
        """A deleted blob is unknown, its data stays, and it can come back."""
        digest = self.commit(b"content").digest
        self.ok(self.repository.blobs.delete(digest=digest))
        for done in (
            self.repository.blobs.stat(digest=digest),
            self.repository.blobs.open(digest=digest),
            self.repository.blobs.delete(digest=digest),
        ):
            self.failureResultOf(done, BlobUnknown)
        self.assertTrue(self.exists(layout.blob_data(digest)))
        self.commit(b"content")
        self.ok(self.repository.blobs.stat(digest=digest))


class FilesystemUploadTests(UploadTests):
    """The same on files."""

    def driver(self):
        return FilesystemDriver(self.mktemp(), InlineDisk())

    def test_wrong_digest(self) -> None:
        """Content that is another is refused, and no upload is left."""
        writer = self.upload(b"content")
        wanted = Descriptor(Digest.of(b"other"), 7)
        self.failureResultOf(writer.commit(provisional=wanted), DigestInvalid)
        self.ok(writer.cancel())
        self.assertFalse(self.exists(layout.repository(NAME)))

    def test_close_that_is_not_waited_for(self) -> None:
        """It closes its file, and others can go on."""
        writer = self.upload(bytes(100_000))
        with patch.object(SpooledFile, "flush", lambda _, durable: Deferred()):
            done = writer.close()
            done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertFalse(writer.file._file._open)
        self.assertEqual(self.ok(self.resume(writer, 100_000)).size, 100_000)

    def test_past_the_cache(self) -> None:
        """What is pushed is not held in memory, as long as nobody says otherwise;
        what is filled is, for those who read it meanwhile."""
        content, lent = os.urandom(1_000_001), []

        @contextmanager
        def lend():
            with lent_buffer() as buffer:
                lent.append(buffer)
                yield buffer

        self.patch(appender, "lent_buffer", lend)
        digest = self.commit(content).digest
        self.assertEqual(len(lent), 1)
        stored = self.ok(self.house.driver.get(layout.blob_data(digest)))
        self.assertEqual(stored, content)
        partial = self.ok(self.house.partials.open(digest=Digest.of(b"x")))
        partial.write(content)
        self.ok(partial.close())
        self.assertEqual(len(lent), 1)
        parameters = {"rootdirectory": self.mktemp(), "directwrites": False}
        driver = make_driver("filesystem", parameters, InlineDisk(), Clock())
        writer = self.ok(driver.writer("/f", read_while_written=False))
        writer.write(content)
        self.ok(writer.commit())
        self.assertEqual(len(lent), 1)


class MountTests(StorageCase):
    """Linking what is stored."""

    def mount(self, digest: Digest, source: str | None, to: str = "c"):
        named = None if source is None else RepositoryName(source)
        return self.ok(self.repo(to).blobs.create(mount=BlobMount(digest, named)))

    def test_mount(self) -> None:
        """A mounted blob is a blob of both repositories, until deleted from one."""
        digest = self.commit(b"content").digest
        self.failureResultOf(self.repo("c").blobs.stat(digest=digest), BlobUnknown)
        self.assertEqual(self.mount(digest, "a/b"), Descriptor(digest, 7))
        self.ok(self.repository.blobs.delete(digest=digest))
        self.ok(self.repo("c").blobs.stat(digest=digest))

    def test_source_without_the_blob(self) -> None:
        """A source that does not hold it gives an upload instead."""
        digest = self.commit(b"content").digest
        writer = self.mount(digest, "nobody")
        verifyObject(IBlobWriter, writer)

    def test_unknown_content(self) -> None:
        """So does content that is nowhere."""
        verifyObject(IBlobWriter, self.mount(Digest.of(b"x"), None))


class RememberingTests(StorageCase):
    """What was pushed is known, until it is deleted."""

    def setUp(self) -> None:
        self.house = TestHouse(descriptors=MemoryDescriptors(10))
        self.repository = self.ok(self.house.local.repository(NAME))

    def remembered(self, digest: Digest) -> Descriptor | None:
        cache = self.house.descriptors.repository(name=NAME)
        return self.ok(cache.stat(digest=digest).addErrback(lambda _: None))

    def test_pushed(self) -> None:
        """By the digest that the client gave."""
        found = self.commit(b"content", "sha512")
        wanted = Digest.of(b"content", "sha512")
        self.assertEqual(self.remembered(wanted), found)
        self.ok(self.repository.blobs.delete(digest=wanted))
        self.assertIsNone(self.remembered(wanted))

    def test_deleted_while_it_is_pushed(self) -> None:
        """It waits for the lock, and then takes away what has just been linked."""
        digest = Digest.of(b"content")
        writer = self.upload(b"content")
        held: Deferred[None] = Deferred()
        self.house.content.locks.run(digest, lambda: held)
        committing = writer.commit(provisional=Descriptor(digest, None))
        deleting = self.repository.blobs.delete(digest=digest)
        held.callback(None)
        self.ok(committing)
        self.ok(deleting)
        self.assertIsNone(self.remembered(digest))
        self.failureResultOf(self.repository.blobs.stat(digest=digest), BlobUnknown)

    def test_dangling(self) -> None:
        """A link whose content is there stays."""
        digest = self.commit(b"content").digest
        blobs = self.repository.blobs
        self.assertFalse(self.ok(blobs.delete_dangling(digest=digest)))
        self.ok(self.house.driver.delete(layout.blob_data(digest)))
        self.assertTrue(self.ok(blobs.delete_dangling(digest=digest)))
        self.assertFalse(self.ok(blobs.delete_dangling(digest=digest)))

    def test_dangling_and_deleted_meanwhile(self) -> None:
        """A client that is quicker is no failure of whoever looks for such links."""
        digest = self.commit(b"content").digest
        blobs = self.repository.blobs
        self.ok(self.house.driver.delete(layout.blob_data(digest)))
        turn: Deferred[None] = Deferred()
        holding = self.house.content.locks.run(digest, lambda: turn)
        deleting = blobs.delete(digest=digest)
        looking = blobs.delete_dangling(digest=digest)
        turn.callback(None)
        for done in (holding, deleting):
            self.ok(done)
        self.assertFalse(self.ok(looking))


class LinkTests(StorageCase):
    """Link files that are not as they should be."""

    def test_broken_link_is_missing(self) -> None:
        """Empty, with a newline, or anything else: not there, and no error page."""
        digest = self.commit(b"content").digest
        for content in (b"", str(digest).encode() + b"\n", b"\xff", b"sha256:x"):
            self.ok(self.house.driver.put(layout.layer_link(NAME, digest), content))
            self.ok(self.repository.blobs._descriptors.clear(digest=digest))
            self.failureResultOf(self.repository.blobs.stat(digest=digest), BlobUnknown)

    def test_manifest_linked_among_layers(self) -> None:
        """Trees of 2.1.0 are read."""
        content = image_manifest()
        digest = Digest.of(content)
        self.ok(self.house.driver.put(layout.blob_data(digest), content))
        link = layout.layer_link(NAME, digest)
        self.ok(self.house.driver.put(link, str(digest).encode()))
        # It had put signatures where the link should have been.
        signed = layout.signature_link(NAME, digest, Digest.of(b"signature"))
        self.ok(self.house.driver.put(signed, str(Digest.of(b"signature")).encode()))
        found = self.ok(self.repository.manifests.get(digest=digest))
        self.assertEqual(found.content, content)
        self.ok(self.repository.manifests.delete(digest=digest))
        self.failureResultOf(
            self.repository.manifests.get(digest=digest), ManifestUnknown
        )

    def test_layer_is_no_manifest(self) -> None:
        """A layer asked for as a manifest is unknown, not an error."""
        digest = self.commit(b"just bytes").digest
        self.failureResultOf(
            self.repository.manifests.get(digest=digest), ManifestUnknown
        )

    def test_tag_history(self) -> None:
        """A tag that moves keeps what it stood for in its index."""
        first = self.ok(
            self.repository.manifests.put(parse(image_manifest()), [Tag("v")])
        )
        newer = parse(image_manifest(note="2"))
        second = self.ok(self.repository.manifests.put(newer, [Tag("v")]))
        current = self.ok(self.repository.tags.get(tag=Tag("v")))
        self.assertEqual(current.digest, second.digest)
        for digest in (first.digest, second.digest):
            self.assertTrue(self.exists(layout.tag_index(NAME, Tag("v"), digest)))
        self.assertEqual(self.ok(self.repository.tags.lookup(first.digest)), [])
        self.assertEqual(
            self.ok(self.repository.tags.lookup(second.digest)), [Tag("v")]
        )
        self.ok(self.repository.tags.untag(tag=Tag("v")))
        self.failureResultOf(self.repository.tags.untag(tag=Tag("v")), ManifestUnknown)

    def test_signatures(self) -> None:
        """Signatures are stored as content, linked, merged, and given back sorted."""
        digest = Digest.of(b"manifest")
        service = self.repository.signatures
        self.assertEqual(self.ok(service.get(digest=digest)), [])
        self.ok(service.put(digest, b"s1", b"s2"))
        self.ok(service.put(digest, b"s2", b"s3"))
        found = self.ok(service.get(digest=digest))
        expected = sorted([b"s1", b"s2", b"s3"], key=lambda s: Digest.of(s).hex)
        self.assertEqual(found, expected)

    def test_signed_manifest(self) -> None:
        """A signed schema 1 manifest comes back with its signatures, verbatim."""
        from tests.spec.manifest.test_parse import _sign

        payload = json.dumps({"schemaVersion": 1, "fsLayers": []}, indent=3).encode()
        manifest = parse(_sign(payload))
        self.ok(self.repository.manifests.put(manifest=manifest))
        found = self.ok(self.repository.manifests.get(digest=manifest.digest))
        self.assertEqual(found.content, manifest.content)
        self.assertEqual(found.media_type, manifest.media_type)
        stored = self.ok(self.house.driver.get(layout.blob_data(manifest.digest)))
        self.assertEqual(stored, payload)
