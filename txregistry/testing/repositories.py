"""The suite of the contracts of a namespace and its repositories.

Run on local storage, on the remote client and on the proxy: whoever uses a
namespace cannot tell them apart.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.flow.streams import BoundedConsumer
from txregistry.interfaces.blobs import IBlobReader, IBlobService
from txregistry.interfaces.manifests import IManifestService
from txregistry.interfaces.namespace import INamespace, IRepository
from txregistry.interfaces.referrers import IReferrerService, Referrer
from txregistry.interfaces.tags import ITagService
from txregistry.spec import mediatypes
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobUnknown, ManifestUnknown, NameUnknown
from txregistry.spec.reference import RepositoryName, Tag


class Furnished(Protocol):
    """A namespace with a way to put things into it and to let time pass."""

    namespace: INamespace

    def put_blob(self, name: str, content: bytes) -> Digest:
        """Let a repository hold a blob."""

    def put_manifest(self, name: str, content: bytes, *tags: str) -> Digest:
        """Let a repository hold a manifest, under its digest and some tags."""

    def settle(self, done: Deferred[Any]) -> Any:
        """Let bytes and time move until a Deferred fires; give its result."""


def image_manifest(
    config: Digest = Digest.of(b"{}"),
    note: str = "",
    subject: Digest | None = None,
    artifact_type: str = "",
) -> bytes:
    """Give an OCI image manifest of no layers, perhaps one that refers to another."""
    document: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": mediatypes.OCI_MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": str(config),
            "size": 2,
        },
        "layers": [],
        "annotations": {"note": note},
    }
    if artifact_type:
        document["artifactType"] = artifact_type
    if subject is not None:
        about = {"mediaType": mediatypes.OCI_MANIFEST, "size": 1}
        document["subject"] = {**about, "digest": str(subject)}
    return json.dumps(document).encode()


def namespace_suite(
    furnish: Callable[[SynchronousTestCase], Furnished],
) -> type[SynchronousTestCase]:
    """Give a test case that holds a namespace to its contracts."""

    class NamespaceSuite(SynchronousTestCase):
        """A namespace does what its interfaces say."""

        def setUp(self) -> None:
            self.house = furnish(self)
            self.content = os.urandom(150_000)
            self.digest = self.house.put_blob("a/b", self.content)
            self.repository = self.repo("a/b")

        def settle(self, done: Deferred[Any]) -> Any:
            return self.house.settle(done)

        def repo(self, name: str) -> IRepository:
            found = self.house.namespace.repository(name=RepositoryName.parse(name))
            repository: IRepository = self.settle(found)
            return repository

        def open(self) -> IBlobReader:
            reader: IBlobReader = self.settle(
                self.repository.blobs.open(digest=self.digest)
            )
            self.addCleanup(reader.close)
            return reader

        def part(self, reader: IBlobReader, offset: int, size: int | None) -> bytes:
            consumer = BoundedConsumer(1 << 24)
            self.settle(reader.read(consumer=consumer, offset=offset, size=size))
            return consumer.content

        def test_provides_the_interfaces(self) -> None:
            """The namespace, the repository and its services provide theirs."""
            verifyObject(INamespace, self.house.namespace)
            verifyObject(IRepository, self.repository)
            verifyObject(IBlobService, self.repository.blobs)
            verifyObject(IManifestService, self.repository.manifests)
            verifyObject(ITagService, self.repository.tags)
            verifyObject(IReferrerService, self.repository.referrers)
            verifyObject(IBlobReader, self.open())

        def test_stat(self) -> None:
            """A blob that is there has a digest and a size."""
            found = self.settle(self.repository.blobs.stat(digest=self.digest))
            self.assertEqual((found.digest, found.size), (self.digest, 150_000))

        def test_unknown_blob(self) -> None:
            """A blob that is not there is BlobUnknown, to stat and to open."""
            other = Digest.of(b"other")
            with self.assertRaises(BlobUnknown):
                self.settle(self.repository.blobs.stat(digest=other))
            with self.assertRaises(BlobUnknown):
                self.settle(self.repository.blobs.open(digest=other))

        def test_other_repository_has_no_access(self) -> None:
            """A blob of one repository is not one of another."""
            with self.assertRaises(BlobUnknown):
                self.settle(self.repo("a/c").blobs.open(digest=self.digest))

        def test_read_whole(self) -> None:
            """A blob can be read, and its descriptor says what it is."""
            reader = self.open()
            self.assertEqual(reader.descriptor.digest, self.digest)
            self.assertEqual(reader.descriptor.size, len(self.content))
            self.assertEqual(self.part(reader, 0, None), self.content)

        def test_read_parts(self) -> None:
            """Any part can be read, one after the other, in any order."""
            reader = self.open()
            for offset, size in ((70_000, 10), (0, 5), (149_999, 1), (0, 0)):
                expected = self.content[offset : offset + size]
                self.assertEqual(self.part(reader, offset, size), expected)
            self.assertEqual(self.part(reader, 140_000, None), self.content[140_000:])

        def test_read_nothing_past_the_end(self) -> None:
            """From the end on there is nothing."""
            self.assertEqual(self.part(self.open(), 150_000, None), b"")

        def test_closing_twice(self) -> None:
            """A reader can be closed again, also unread."""
            reader = self.open()
            reader.close()
            reader.close()

        def test_empty_blob(self) -> None:
            """A blob of no bytes is a blob."""
            digest = self.house.put_blob("a/b", b"")
            reader = self.settle(self.repository.blobs.open(digest=digest))
            self.addCleanup(reader.close)
            self.assertEqual(self.part(reader, 0, None), b"")

        def test_manifest(self) -> None:
            """A manifest comes back verbatim, with its media type."""
            content = image_manifest()
            digest = self.house.put_manifest("a/b", content, "v1")
            manifests = self.repository.manifests
            found = self.settle(manifests.get(digest=digest))
            self.assertEqual(found.content, content)
            self.assertEqual(found.digest, digest)
            self.assertEqual(found.media_type, mediatypes.OCI_MANIFEST)
            self.assertTrue(self.settle(manifests.exists(digest=digest)))

        def test_unknown_manifest(self) -> None:
            """A manifest that is not there is ManifestUnknown."""
            other = Digest.of(b"other")
            manifests = self.repository.manifests
            self.assertFalse(self.settle(manifests.exists(digest=other)))
            with self.assertRaises(ManifestUnknown):
                self.settle(manifests.get(digest=other))

        def test_manifest_of_another_repository(self) -> None:
            """A manifest of one repository is not one of another."""
            digest = self.house.put_manifest("a/b", image_manifest())
            with self.assertRaises(ManifestUnknown):
                self.settle(self.repo("a/c").manifests.get(digest=digest))

        def test_tag(self) -> None:
            """A tag stands for a manifest."""
            digest = self.house.put_manifest("a/b", image_manifest(), "v1")
            found = self.settle(self.repository.tags.get(tag=Tag("v1")))
            self.assertEqual(found.digest, digest)

        def test_unknown_tag(self) -> None:
            """A tag that is not there is ManifestUnknown."""
            with self.assertRaises(ManifestUnknown):
                self.settle(self.repository.tags.get(tag=Tag("none")))

        def test_tags_are_listed_in_pages(self) -> None:
            """Tags are sorted; a page has what comes after a name, up to a number."""
            for tag in ("c", "a", "B", "d"):
                self.house.put_manifest("a/b", image_manifest(note=tag), tag)
            tags = self.repository.tags
            whole = self.settle(tags.list())
            self.assertEqual([str(tag) for tag in whole], ["B", "a", "c", "d"])
            page = self.settle(tags.list(after="a", limit=1))
            self.assertEqual([str(tag) for tag in page], ["c"])
            page = self.settle(tags.list(after="bb", limit=9))
            self.assertEqual([str(tag) for tag in page], ["c", "d"])

        def test_tags_of_an_unknown_repository(self) -> None:
            """A repository without tags is not known."""
            with self.assertRaises(NameUnknown):
                self.settle(self.repo("no/such").tags.list())

        def refer(self, subject: Digest, note: str, kind: str) -> Digest:
            content = image_manifest(note=note, subject=subject, artifact_type=kind)
            return self.house.put_manifest("a/b", content)

        def referrers(self, subject: Digest, **options: Any) -> list[Referrer]:
            found = self.repository.referrers.list(digest=subject, **options)
            listed: list[Referrer] = self.settle(found)
            return listed

        def test_referrers(self) -> None:
            """What names a manifest as its subject is listed, sorted by digest, with
            its type and annotations; the subject need not be there."""
            subject = Digest.of(b"not there")
            wanted = sorted(self.refer(subject, note, "x/y") for note in "abc")
            self.refer(Digest.of(b"other"), "d", "x/y")
            found = self.referrers(subject)
            self.assertEqual([item.descriptor.digest for item in found], wanted)
            self.assertEqual({item.artifact_type for item in found}, {"x/y"})
            notes = {item.annotations["note"] for item in found}
            self.assertEqual(notes, set("abc"))

        def test_referrers_of_one_type(self) -> None:
            """They can be had of one type only."""
            subject = Digest.of(b"subject")
            wanted = self.refer(subject, "a", "x/signature")
            self.refer(subject, "b", "x/sbom")
            found = self.referrers(subject, artifact_type="x/signature")
            self.assertEqual([item.descriptor.digest for item in found], [wanted])

        def test_pages_of_referrers(self) -> None:
            """A page has what comes after a digest, up to a number."""
            subject = Digest.of(b"subject")
            wanted = sorted(self.refer(subject, note, "x/y") for note in "abcd")
            found = self.referrers(subject, after=str(wanted[0]), limit=2)
            self.assertEqual([item.descriptor.digest for item in found], wanted[1:3])

        def test_no_referrers(self) -> None:
            """Where nothing refers there is an empty list, not an error."""
            self.assertEqual(self.referrers(Digest.of(b"alone")), [])

    return NamespaceSuite
