"""Which paths can be part of the tree."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

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

    def test_ours(self) -> None:
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

    def test_foreign(self) -> None:
        """What disks and servers leave is not, wherever it lies; nor are uploads."""
        digits = "a" * 64
        places = (
            layout.BLOBS,
            f"{layout.BLOBS}/sha256",
            f"{layout.BLOBS}/sha256/aa",
            f"{layout.BLOBS}/sha256/aa/{digits}",
            layout.REPOSITORIES,
            layout.repository(NAME),
            layout.layers(NAME),
            f"{layout.layers(NAME)}/sha256",
            f"{layout.layers(NAME)}/sha256/{digits}",
            layout.revisions(NAME),
            layout.tag(NAME, TAG),
            layout.uploads(NAME),
        )
        for place in places:
            for name in ("lost+found", "@eaDir", ".snapshot", ".Trash-0", "_x", "a\n"):
                self.assertFalse(is_ours(f"{place}/{name}"), f"{place}/{name}")

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
