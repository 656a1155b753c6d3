"""Images as clients name them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.spec.test_upstreams import TABLE
from txregistry.spec.digest import Digest
from txregistry.spec.imagename import ImageName, find_repository
from txregistry.spec.upstreams import UpstreamTable

DIGEST = Digest.of(b"x")


class ImageNameTests(SynchronousTestCase):
    """Names, tags and digests."""

    def test_names(self) -> None:
        """They are those that a pull through the cache would use."""
        for text, expected in (
            ("alpine", "library/alpine:latest"),
            ("alpine:3", "library/alpine:3"),
            ("org/app", "org/app:latest"),
            ("docker.io/library/alpine:3", "library/alpine:3"),
            ("ghcr.io/org/app:v1", "ghcr.io/org/app:v1"),
            ("docker://ghcr.io/org/app:v1", "ghcr.io/org/app:v1"),
            ("registry.corp.example:5000/a/b", "corp/a/b:latest"),
            (" registry.corp.example:5000/a/b:t\n", "corp/a/b:t"),
            ("team/x:1", "team/x:1"),
            (f"org/app@{DIGEST}", f"org/app@{DIGEST}"),
            (f"org/app:v1@{DIGEST}", f"org/app:v1@{DIGEST}"),
        ):
            self.assertEqual(str(ImageName.parse(text, TABLE)), expected)

    def test_a_registry(self) -> None:
        """Where all is local, names are as they are."""
        self.assertEqual(
            str(ImageName.parse("alpine", UpstreamTable())), "alpine:latest"
        )

    def test_errors(self) -> None:
        """What is wrong is said, with the text."""
        for text, expected in (
            ("", "is no name"),
            ("UPPER", "is no name"),
            ("a//b", "is no name"),
            ("a:", "'' is no tag"),
            ("a:-", "'-' is no tag"),
            ("a@sha256:1", "is no digest"),
            ("a@", "'' is no digest"),
            ("quay.io/a", "no upstream of this cache has it"),
        ):
            error = self.assertRaises(ValueError, ImageName.parse, text, TABLE)
            self.assertIn(expected, str(error))

    def test_repositories(self) -> None:
        """A repository has no tag."""
        self.assertEqual(find_repository("alpine", TABLE).text, "library/alpine")
        self.assertRaises(ValueError, find_repository, "alpine:3", TABLE)
