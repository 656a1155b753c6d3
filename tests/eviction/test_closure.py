"""All that pinned images need."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txregistry.eviction.closure import Closure, NeededContent
from txregistry.spec.digest import Digest
from txregistry.spec.images import ImagePattern
from txregistry.spec.manifest import lenient
from txregistry.spec.manifest.model import Manifest
from txregistry.spec.mediatypes import OCI_INDEX
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.testing.house import TestHouse

IMAGE = "application/vnd.oci.image.manifest.v1+json"


def described(content: bytes, kind: str) -> dict[str, Any]:
    return {"mediaType": kind, "digest": str(Digest.of(content)), "size": len(content)}


def image(*layers: bytes, **more: Any) -> bytes:
    document = {
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": described(b"config" + b"".join(layers), "x/config"),
        "layers": [described(layer, "x/layer") for layer in layers],
        **more,
    }
    return json.dumps(document).encode()


def index(*images: bytes) -> bytes:
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [described(content, IMAGE) for content in images],
    }
    return json.dumps(document).encode()


class ClosureTests(SynchronousTestCase):
    """Manifests in a local registry."""

    def setUp(self) -> None:
        self.house = TestHouse()

    def put(self, name: str, content: bytes, *tags: str) -> Manifest:
        found = self.house.local.repository(RepositoryName(name))
        manifest = lenient.read(content)
        wanted = [Tag.parse(tag) for tag in tags]
        store = self.successResultOf(found).manifests
        self.successResultOf(store.put(manifest=manifest, tags=wanted))
        return manifest

    def needed(self, *patterns: str) -> NeededContent:
        closure = Closure(self.house.local, self.house.table.called, self.house.clock)
        parsed = [ImagePattern.parse(pattern) for pattern in patterns]
        return self.house.settle(closure.of(parsed))

    def has(self, needed: NeededContent, *contents: bytes) -> list[bool]:
        return [needed.has(Digest.of(content)) for content in contents]

    def test_no_pins(self) -> None:
        """Nothing is needed, and nothing is read."""
        self.put("a", image(b"1"), "v1")
        self.assertEqual(self.has(self.needed(), b"1"), [False])

    def test_image(self) -> None:
        """A manifest, its configuration and layers, and its tag."""
        pinned = image(b"1", b"2")
        self.put("a", pinned, "v1")
        self.put("a", image(b"3"), "v2")
        self.put("b", image(b"4"), "v1")
        needed = self.needed("a:v1")
        self.assertEqual(
            self.has(needed, pinned, b"config12", b"1", b"2", b"3", b"4"),
            [True, True, True, True, False, False],
        )
        self.assertTrue(needed.has_tag("a", "v1"))
        self.assertFalse(needed.has_tag("a", "v2"))
        self.assertFalse(needed.has_tag("b", "v1"))

    def test_index(self) -> None:
        """The platforms that are stored, and not what others would need."""
        stored, other = image(b"1"), image(b"2")
        self.put("a", stored)
        self.put("a", index(stored, other), "v1")
        needed = self.needed("a")
        self.assertEqual(
            self.has(needed, stored, other, b"1", b"2"), [True, True, True, False]
        )

    def test_referrers(self) -> None:
        """What refers to an image, or to that, is needed with its layers."""
        pinned = image(b"1")
        signature = image(b"s", subject=described(pinned, IMAGE))
        about = image(b"t", subject=described(signature, IMAGE))
        self.put("a", pinned, "v1")
        self.put("a", signature)
        self.put("a", about)
        needed = self.needed("a:v*")
        self.assertEqual(self.has(needed, signature, about, b"s", b"t"), [True] * 4)

    def test_digest(self) -> None:
        """An image without a tag is pinned by its digest."""
        pinned = image(b"1")
        manifest = self.put("a", pinned)
        self.put("a", image(b"2"), "v1")
        needed = self.needed(f"a@{manifest.digest}")
        self.assertEqual(self.has(needed, pinned, b"1", b"2"), [True, True, False])

    def test_names(self) -> None:
        """A repository is meant by any of its names; globs mean several."""
        self.put("lib/a", image(b"1"), "v1")
        self.put("lib/b/c", image(b"2"), "v1")
        for pattern, expected in (
            ("upstream.example/lib/a", [True, False]),
            ("lib/*", [True, False]),
            ("lib/**", [True, True]),
            ("other/**", [False, False]),
        ):
            self.assertEqual(self.has(self.needed(pattern), b"1", b"2"), expected)

    def test_stored_in_another_repository(self) -> None:
        """A platform that one repository lacks is found in the one that has it."""
        stored = image(b"1")
        both = index(stored)
        self.put("a", both, "v1")
        self.put("b", both, "v1")
        self.put("b", stored)
        self.assertEqual(self.has(self.needed("**"), b"1"), [True])

    def test_many(self) -> None:
        """Pages of repositories and tags come to an end."""
        for number in range(250):
            self.put("a", image(b"%d" % number), f"t{number}")
        self.put("z", image(b"z"), "v1")
        needed = self.needed("a", "z")
        contents = [b"%d" % number for number in range(250)]
        self.assertTrue(all(self.has(needed, *contents, b"z")))
