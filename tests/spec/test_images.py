"""Patterns of images."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.digest import Digest
from txregistry.spec.images import ImagePattern


class ImagePatternTests(SynchronousTestCase):
    """A name, and a tag or a digest."""

    def read(self, text: str) -> tuple[str, str]:
        found = ImagePattern.parse(text)
        return str(found.names), str(found.tags)

    def test_tags(self) -> None:
        """A tag stands after the last colon; without one all tags are meant."""
        self.assertEqual(self.read("a/b:v1"), ("a/b", "v1"))
        self.assertEqual(self.read("a/*:3.*"), ("a/*", "3.*"))
        self.assertEqual(self.read("a/**"), ("a/**", "*"))

    def test_port(self) -> None:
        """The colon of a port begins no tag."""
        self.assertEqual(self.read("h:5000/a"), ("h:5000/a", "*"))
        self.assertEqual(self.read("h:5000/a:v"), ("h:5000/a", "v"))

    def test_digest(self) -> None:
        """A digest names one manifest."""
        digest = Digest.of(b"x")
        found = ImagePattern.parse(f"a/b@{digest}")
        self.assertEqual((found.digest, found.tags), (digest, None))
        self.assertEqual(str(found), f"a/b@{digest}")

    def test_malformed(self) -> None:
        """What is no pattern is refused."""
        for text in ("", ":v1", "a:", "a b", "a@sha256:1", "a/***", "@"):
            self.assertRaises(ValueError, ImagePattern.parse, text)
