"""What a layout has of an image."""

from __future__ import annotations

from tests.ocilayout.cases import (
    CONFIG,
    IMAGE,
    LAYER,
    LayoutCase,
    described,
    document,
)
from txregistry.ocilayout import contents
from txregistry.ocilayout.contents import (
    image_contents,
    named_entries,
    referring,
)
from txregistry.ocilayout.index import LayoutError, make_entry
from txregistry.ocilayout.layout import path_of
from txregistry.spec import mediatypes
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest


class ContentsTests(LayoutCase):
    """Manifests and blobs, in the order in which they are taken in."""

    def setUp(self) -> None:
        super().setUp()
        self.layout = self.write_image()

    def digests(self, found: tuple) -> list[Digest]:
        return [item.digest for item in found]

    def test_image(self) -> None:
        """One manifest, and its blobs."""
        (entry,) = self.layout.entries()
        found = image_contents(self.layout, entry, [])
        self.assertEqual(self.digests(found.manifests), [Digest.of(IMAGE)])
        self.assertEqual(found.manifests[0].media_type, mediatypes.OCI_MANIFEST)
        self.assertEqual(
            self.digests(found.blobs), [Digest.of(CONFIG), Digest.of(LAYER)]
        )

    def test_index(self) -> None:
        """Children come first; those that were not exported are left out."""
        children = [
            described(IMAGE, mediatypes.OCI_MANIFEST),
            described(b"not exported", mediatypes.OCI_MANIFEST),
        ]
        index = document(mediatypes.OCI_INDEX, manifests=children)
        signature = self.refer_to(IMAGE)
        stranger = self.refer_to(b"another image")
        for content in (index, signature, stranger):
            self.add(self.layout, content)
        absent = self.refer_to(CONFIG)
        upon_signature = self.refer_to(signature)
        self.add(self.layout, upon_signature)
        foreign = self.entry(document("application/vnd.oci.artifact.manifest.v1+json"))
        self.add(self.layout, document("application/vnd.oci.artifact.manifest.v1+json"))
        entries = [self.entry(index, "a:v1"), foreign]
        others = (upon_signature, signature, stranger, absent)
        entries += [self.entry(item) for item in others]
        referrers = referring(self.layout, entries)
        self.assertEqual(len(referrers), 3)
        found = image_contents(self.layout, entries[0], referrers)
        expected = [IMAGE, index, signature, upon_signature]
        self.assertEqual(self.digests(found.manifests), [*map(Digest.of, expected)])

    def test_much_that_refers(self) -> None:
        """What is too much to be held is left out, and no image fails for it."""
        self.patch(contents, "MAX_MANIFESTS_BYTES", len(IMAGE) + 10)
        signature = self.refer_to(IMAGE)
        self.add(self.layout, signature)
        self.assertEqual(referring(self.layout, [self.entry(signature)]), [])
        (entry,) = self.layout.entries()
        image_contents(self.layout, entry, [])
        self.patch(contents, "MAX_MANIFESTS_BYTES", len(IMAGE) - 1)
        with self.assertRaisesRegex(LayoutError, "too long ones"):
            image_contents(self.layout, entry, [])

    def refer_to(self, subject: bytes) -> bytes:
        return document(
            mediatypes.OCI_MANIFEST,
            artifactType="application/x-signature",
            config=described(CONFIG),
            layers=[],
            subject=described(subject, mediatypes.OCI_MANIFEST),
        )

    def test_damaged(self) -> None:
        """A manifest that is missing, damaged or none."""
        (entry,) = self.layout.entries()
        path = self.path / path_of(Digest.of(IMAGE))
        path.write_bytes(IMAGE + b" ")
        with self.assertRaisesRegex(LayoutError, "does not match its digest"):
            image_contents(self.layout, entry, [])
        path.unlink()
        with self.assertRaisesRegex(LayoutError, "but not in the layout"):
            image_contents(self.layout, entry, [])
        self.add(self.layout, b"[]")
        wrong = make_entry(Descriptor(Digest.of(b"[]"), 2))
        with self.assertRaisesRegex(LayoutError, "manifest invalid"):
            image_contents(self.layout, wrong, [])

    def test_many(self) -> None:
        """There is an end to it."""
        self.patch(contents, "MAX_MANIFESTS", 1)
        index = document(
            mediatypes.OCI_INDEX, manifests=[described(IMAGE, mediatypes.OCI_MANIFEST)]
        )
        self.add(self.layout, index)
        with self.assertRaisesRegex(LayoutError, "too many manifests"):
            image_contents(self.layout, self.entry(index), [])

    def test_names(self) -> None:
        """Entries with a name are images; without any the only one is."""
        named, bare = self.entry(IMAGE, "a:v1"), self.entry(IMAGE)
        for entries, expected in (
            ([named, bare], [named]),
            ([bare], [bare]),
            ([bare, bare], []),
            ([], []),
        ):
            self.assertEqual(named_entries(entries), expected)
