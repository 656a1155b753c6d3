"""Uploads of one repository: begun, looked at, resumed."""

from __future__ import annotations

from tests.storage.test_namespace import NAME, StorageCase
from txregistry.interfaces.blobs import UploadStatus
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobUploadUnknown, SizeInvalid
from txregistry.storage.tree import layout


class SessionTests(StorageCase):
    """The right to write to an upload."""

    def begin(self) -> UploadStatus:
        return self.ok(self.repository.blobs.begin())

    def status(self, upload_id: str) -> UploadStatus:
        return self.ok(self.repository.blobs.status(upload_id=upload_id))

    def test_begun(self) -> None:
        """Each has an id of its own, holds nothing, and is as old as it says."""
        first, second = self.begin(), self.begin()
        self.assertNotEqual(first.upload_id, second.upload_id)
        self.assertEqual(first.size, 0)
        self.assertEqual(first.started_at, float(int(self.house.clock.seconds())))
        self.assertEqual(self.status(first.upload_id), first)

    def test_unknown(self) -> None:
        """One that never was, or whose time of start is damaged, is unknown."""
        blobs = self.repository.blobs
        self.failureResultOf(blobs.status(upload_id="none"), BlobUploadUnknown)
        path = layout.upload_started_at(NAME, "broken")
        self.ok(self.house.driver.put(path, b"yesterday"))
        self.failureResultOf(blobs.status(upload_id="broken"), BlobUploadUnknown)

    def test_other_repository(self) -> None:
        """An upload is known in its own repository only."""
        begun = self.begin()
        other = self.repo("c/d").blobs.status(upload_id=begun.upload_id)
        self.failureResultOf(other, BlobUploadUnknown)

    def test_refused(self) -> None:
        """Who is refused does not take an upload from whoever writes to it."""
        writer = self.upload(b"content")

        def refuse(status: UploadStatus) -> None:
            raise SizeInvalid()

        blobs = self.repository.blobs
        done = blobs.resume(upload_id=writer.upload_id, check=refuse)
        self.failureResultOf(done, SizeInvalid)
        wanted = Descriptor(Digest.of(b"content"), 7)
        self.assertEqual(self.ok(writer.commit(provisional=wanted)), wanted)

    def test_taken_over(self) -> None:
        """Who is not refused gets it where it stands."""
        writer = self.upload(b"con")
        self.ok(writer.close())
        resumed = self.ok(self.resume(writer, 3))
        self.assertEqual(resumed.size, 3)
        resumed.write(b"tent")
        wanted = Descriptor(Digest.of(b"content"), 7)
        self.assertEqual(self.ok(resumed.commit(provisional=wanted)), wanted)
