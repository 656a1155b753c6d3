"""Which paths can be part of the tree."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.storage.test_foreign import HEX, JUNK
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storage.tree import layout
from txregistry.storage.tree.shape import is_ours

NAME, TAG = RepositoryName.parse("team/app"), Tag.parse("v1")


def prefixes(path: str, root: str) -> list[str]:
    """Give a path and all directories that it is in, from the root on."""
    parts = path.removeprefix(root).split("/")
    return [root + "/".join(parts[:end]) for end in range(1, len(parts) + 1)]


class ShapeTests(SynchronousTestCase):
    """Ours and foreign ones."""

    def test_layout(self) -> None:
        """What we write is ours, with every directory above it."""
        for digest in (Digest.of(b"x"), Digest.of(b"x", "sha512")):
            for path in (
                layout.layer_link(NAME, digest),
                layout.revision_link(NAME, digest),
                layout.signature_link(NAME, digest, Digest.of(b"y")),
                layout.tag_current(NAME, TAG),
                layout.tag_index(NAME, TAG, digest),
                layout.uploads(NAME),
            ):
                for part in prefixes(path, layout.REPOSITORIES):
                    self.assertTrue(is_ours(part), part)
            for part in prefixes(layout.blob_data(digest), layout.BLOBS):
                self.assertTrue(is_ours(part), part)

    def test_elsewhere(self) -> None:
        """Digests of other algorithms and lengths are not, nor is any other tree."""
        for path in (
            f"{layout.BLOBS}/md5",
            f"{layout.BLOBS}/sha256/aa/{'a' * 63}",
            f"{layout.BLOBS}/sha256/AA",
            f"{layout.BLOBS}x",
            f"{layout.layers(NAME)}/md5",
            f"{layout.REPOSITORIES}/a b",
            f"{layout.REPOSITORIES}/team/_layers/sha256/{'a' * 64}/data",
            f"{layout.tags(NAME)}/{'t' * 129}",
            layout.FILLS,
            "/",
        ):
            self.assertFalse(is_ours(path), path)

    def test_ours(self) -> None:
        """Whatever the layout gives, and what is on the way to it."""
        digest = Digest("sha512", "b" * 128)
        revision = f"{layout.REPOSITORIES}/a/_manifests/revisions/sha256/{HEX}"
        for path in (
            f"{layout.BLOBS}/sha256/aa/{HEX}/data",
            layout.blob_data(digest),
            f"{layout.REPOSITORIES}/a/b_c/_layers/sha256/{HEX}/link",
            f"{layout.REPOSITORIES}/Host.example/b/_uploads",
            f"{revision}/link",
            f"{revision}/signatures/sha256/{HEX}/link",
            f"{layout.REPOSITORIES}/a/_manifests/tags/V1.0_x/current/link",
            f"{layout.REPOSITORIES}/a/_manifests/tags/_/index/sha256/{HEX}/link",
        ):
            for above in (Path(path), *Path(path).parents[:-4]):
                self.assertTrue(is_ours(str(above)), above)

    def test_foreign(self) -> None:
        """Junk, wherever it lies."""
        for name in (*JUNK, "index.html"):
            for place in (
                layout.BLOBS,
                f"{layout.BLOBS}/sha256",
                f"{layout.BLOBS}/sha256/aa",
                f"{layout.BLOBS}/sha256/aa/{HEX}",
                f"{layout.REPOSITORIES}/a/_layers",
                f"{layout.REPOSITORIES}/a/_layers/sha256",
                f"{layout.REPOSITORIES}/a/_layers/sha256/{HEX}",
                f"{layout.REPOSITORIES}/a/_manifests",
                f"{layout.REPOSITORIES}/a/_manifests/revisions/sha256",
            ):
                self.assertFalse(is_ours(f"{place}/{name}"), (place, name))
        for path in (layout.FILLS, "/", "/docker", f"{layout.BLOBS}x"):
            self.assertFalse(is_ours(path), path)
        for name in set(JUNK) - {"Thumbs.db"}:  # which may be a host
            self.assertFalse(is_ours(f"{layout.REPOSITORIES}/{name}/_layers"), name)

    def test_uploads(self) -> None:
        """Nobody looks for links in uploads."""
        path = f"{layout.REPOSITORIES}/a/_uploads"
        self.assertTrue(is_ours(path))
        self.assertFalse(is_ours(f"{path}/some-id"))
