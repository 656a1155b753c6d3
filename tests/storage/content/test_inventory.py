"""What repositories really hold."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.deferred import deferred
from txregistry.interfaces.expiry import Entry, EntryKey, Kind
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storage.content.inventory import Inventory
from txregistry.storage.tree import layout
from txregistry.testing.house import TestHouse

NAME, TAG = RepositoryName.parse("a/b"), Tag.parse("v1")
BLOB, MANIFEST = Digest.of(b"blob"), Digest.of(b"manifest", "sha512")


class InventoryTests(SynchronousTestCase):
    """A tree on a driver in memory."""

    def setUp(self) -> None:
        self.house = TestHouse()
        self.driver = self.house.driver
        self.began = self.house.clock.seconds()
        self.inventory = Inventory(self.driver, self.house.content)

    def put(self, path: str, content: bytes = b"") -> None:
        self.successResultOf(self.driver.put(path, content))

    def gathered(self, found: AsyncIterator[Any]) -> list[Any]:
        @deferred
        async def gather() -> list[Any]:
            return [item async for item in found]

        return self.successResultOf(gather())

    def test_found(self) -> None:
        """Blobs, manifests and tags, with their sizes and the time of their links."""
        self.put(layout.blob_data(BLOB), b"blob")
        self.put(layout.layer_link(NAME, BLOB))
        self.house.clock.advance(10)
        self.put(layout.revision_link(NAME, MANIFEST))
        self.put(layout.tag_current(NAME, TAG))
        found = {entry.key: entry for entry in self.gathered(self.inventory.found())}
        blob = EntryKey(NAME, Kind.BLOB, str(BLOB))
        manifest = EntryKey(NAME, Kind.MANIFEST, str(MANIFEST))
        tag = EntryKey(NAME, Kind.TAG, "v1")
        expected = {
            blob: Entry(blob, 4, self.began),
            manifest: Entry(manifest, 0, self.began + 10),
            tag: Entry(tag, 0, self.began + 10),
        }
        self.assertEqual(found, expected)

    def test_others(self) -> None:
        """Histories of tags, signatures, uploads and foreign files are no entries."""
        self.put(layout.tag_index(NAME, TAG, BLOB))
        self.put(layout.signature_link(NAME, BLOB, MANIFEST))
        self.put(layout.upload_data(NAME, "u"))
        self.put(f"{layout.layers(NAME)}/sha256/{'a' * 64}/data")
        self.put(f"{layout.REPOSITORIES}/README")
        self.assertEqual(self.gathered(self.inventory.found()), [])

    def test_contents(self) -> None:
        """All content with its size, in the order of digests."""
        contents = [b"%d" % number for number in range(20)]
        digests = [Digest.of(content) for content in contents]
        digests.append(Digest.of(b"other", "sha512"))
        for digest, content in zip(digests, [*contents, b"other"], strict=True):
            self.put(layout.blob_data(digest), content)
        self.put(f"{layout.BLOBS}/sha256/ab/foreign", b"x")
        found = self.gathered(self.inventory.contents())
        self.assertEqual([name for name, _ in found], sorted(map(str, digests)))
        self.assertEqual(dict(found)[str(digests[-1])], 5)

    def orphans(self) -> list[Digest]:
        return self.gathered(self.inventory.orphans(self.began + 5))

    def test_orphans(self) -> None:
        """Content without a link of any kind, which was there before a time."""
        old, young = Digest.of(b"old"), Digest.of(b"young")
        for digest in (BLOB, MANIFEST, old):
            self.put(layout.blob_data(digest))
        self.house.clock.advance(5)
        self.put(layout.blob_data(young))
        self.assertEqual(set(self.orphans()), {BLOB, MANIFEST, old})
        self.put(layout.layer_link(NAME, BLOB))
        self.put(layout.signature_link(NAME, BLOB, MANIFEST))
        self.assertEqual(self.orphans(), [old])
        self.put(layout.tag_index(NAME, TAG, old))
        self.assertEqual(self.orphans(), [])
