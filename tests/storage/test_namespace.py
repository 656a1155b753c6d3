"""The local registry, put together."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.namespaces import Local, OtherProcess, on_disk, shared_house
from txregistry.interfaces.blobs import (
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
)
from txregistry.spec.reference import RepositoryName
from txregistry.testing.house import TestHouse
from txregistry.testing.repositories import namespace_suite

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


class NamespaceTests(StorageCase):
    """What a registry is put together of."""

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

    def test_one_repository(self) -> None:
        """Each name has its own blobs, over the same content."""
        found = self.commit(b"content")
        self.ok(self.repository.blobs.stat(digest=found.digest))
        other = self.repo("c/d").blobs.stat(digest=found.digest)
        self.failureResultOf(other, BlobUnknown)


LocalMemoryTests = namespace_suite(lambda case: Local(case, TestHouse()))
LocalFilesystemTests = namespace_suite(lambda case: Local(case, on_disk(case)))
LocalSharedTests = namespace_suite(
    lambda case: Local(case, shared_house(case.mktemp()))
)
OtherProcessTests = namespace_suite(OtherProcess)
