"""Paths and keys."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.storagedriver.s3.keys import Keys


class KeyTests(SynchronousTestCase):
    """Both ways, as Docker's registry has them."""

    def test_both_ways(self) -> None:
        """A path has a key, and the key that path."""
        for root, key in (
            ("", "a/b"),
            ("/", "a/b"),
            ("x", "x/a/b"),
            ("/x/y/", "x/y/a/b"),
        ):
            keys = Keys.of(root)
            self.assertEqual(keys.key("/a/b"), key)
            self.assertEqual(keys.path(key), "/a/b")
            self.assertEqual(keys.prefix("/a/b"), f"{key}/")
            self.assertEqual(keys.prefix("/"), key.removesuffix("a/b"))
