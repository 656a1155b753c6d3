"""Blobs on their way in."""

from __future__ import annotations

import os
from contextlib import contextmanager
from unittest.mock import patch

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from tests.storage.test_namespace import NAME, StorageCase
from txregistry.flow.disk import InlineDisk
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import (
    BlobUnknown,
    BlobUploadUnknown,
    DigestInvalid,
    SizeInvalid,
)
from txregistry.storage.tree import layout
from txregistry.storage.uploads.pending_uploads import HELD_SECONDS
from txregistry.storage.uploads.spooled import SpooledFile
from txregistry.storagedriver.filesystem import appender
from txregistry.storagedriver.filesystem.appender import lent_buffer
from txregistry.storagedriver.filesystem.driver import FilesystemDriver
from txregistry.storagedriver.maker import make_driver


class UploadTests(StorageCase):
    """Taking blobs in."""

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
