"""``index.json``."""

from __future__ import annotations

import json

from tests.ocilayout.cases import IMAGE, LayoutCase, document
from txregistry.ocilayout.index import (
    LayoutError,
    index_content,
    merged,
    parse_index,
)
from txregistry.spec import mediatypes

NAME = "org.opencontainers.image.ref.name"
FULL = "io.containerd.image.name"


class IndexTests(LayoutCase):
    """Entries, and their names."""

    def test_round_trip(self) -> None:
        """What is written is read."""
        entries = [
            self.entry(IMAGE, "lib/a:v1", "docker.io/lib/a:v1", 1234.7),
            self.entry(IMAGE, "team/b:v1"),
            self.entry(IMAGE),
        ]
        content = index_content(entries)
        self.assertEqual(parse_index(content), entries)
        self.assertEqual(entries[0].confirmed_at, 1234)
        listed = json.loads(content)["manifests"]
        self.assertEqual(
            listed[0]["annotations"],
            {
                FULL: "docker.io/lib/a:v1",
                NAME: "lib/a:v1",
                "txregistry.confirmed-at": "1234",
            },
        )
        self.assertEqual(listed[1]["annotations"], {NAME: "team/b:v1"})
        self.assertNotIn("annotations", listed[2])

    def test_tags_are_no_names(self) -> None:
        """A tag alone, as others write it, names no image; a digest may be named."""
        for text, name in (
            ("v1", ""),
            ("a:v1", "a:v1"),
            ("a/b", "a/b"),
            ("a@x", "a@x"),
            ("a:v1\x1b]0;title", ""),
        ):
            (entry,) = parse_index(index_content([self.entry(IMAGE, text)]))
            self.assertEqual((entry.name, entry.identity), (name, name))

    def test_odd_annotations(self) -> None:
        """A time that is none is not known."""
        entry = self.entry(IMAGE, "a:v1", confirmed_at=5)
        found = dict(entry.document)
        for text in ("-1", "1.5", "٣", "", "9" * 5000):
            found["annotations"] = {"txregistry.confirmed-at": text}
            (read,) = parse_index(json.dumps({"manifests": [found]}).encode())
            self.assertIsNone(read.confirmed_at)

    def test_merged(self) -> None:
        """A name stands for one image; what others have written stays as it is."""
        first = self.entry(IMAGE, "a:v1", "docker.io/library/a:v1")
        other = document(mediatypes.OCI_INDEX, manifests=[])
        foreign = dict(self.entry(IMAGE, "b:v1").document) | {"x": 1}
        content = json.dumps({"manifests": [first.document, foreign]}).encode()
        old = parse_index(content)
        new = [self.entry(other, "a:v1", "docker.io/library/a:v1"), self.entry(IMAGE)]
        found = merged(old, [*new, new[1]])
        self.assertEqual(
            [entry.identity for entry in found], ["b:v1", first.full_name, ""]
        )
        self.assertEqual(found[0].document["x"], 1)
        self.assertEqual(found[1].descriptor, new[0].descriptor)

    def test_malformed(self) -> None:
        """It is said what is wrong."""
        for content, told in (
            (b"[]", "document"),
            (b"{", "a JSON document"),
            (b'{"manifests": {}}', "manifests"),
            (b'{"manifests": [{"digest": "x", "size": 1}]}', r"manifests\[0\].digest"),
        ):
            self.assertRaisesRegex(
                LayoutError, f"index.json: .*{told}", parse_index, content
            )
