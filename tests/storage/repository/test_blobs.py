"""Blobs of one repository."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from tests.storage.test_namespace import NAME, StorageCase
from txregistry.interfaces.blobs import (
    BlobMount,
    IBlobWriter,
)
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import (
    BlobUnknown,
)
from txregistry.spec.reference import RepositoryName
from txregistry.storage.caches.descriptors import MemoryDescriptors
from txregistry.storage.tree import layout
from txregistry.testing.house import TestHouse


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
