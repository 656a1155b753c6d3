"""Names of repositories, and tags."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.digest import Digest
from txregistry.spec.errors import (
    DigestInvalid,
    NameInvalid,
    TagInvalid,
)
from txregistry.spec.reference import (
    RepositoryName,
    Tag,
    is_name_prefix,
    parse_reference,
)


class ReferenceTests(SynchronousTestCase):
    """Repository names and tags."""

    def test_names(self) -> None:
        """Distribution's grammar."""
        for text in (
            "a",
            "library/nginx",
            "a/b/c/d/e/f",
            "foo.bar/baz",
            "foo__bar",
            "a---b",
            "localhost:8080/foo",
            "Host.Example/foo",
            "aa/asdf$$^/aa"[:2],
            "0/1",
        ):
            self.assertEqual(str(RepositoryName.parse(text)), text)

    def test_refused_names(self) -> None:
        """What breaks it."""
        for text in (
            "",
            "A",
            "a/",
            "/a",
            "a//b",
            "a/../b",
            "-a",
            "a-",
            "a___b",
            "a..b",
            "a b",
            "ä",
            "a" * 256,
            "a\n",
            "a/B",
            "a/" * 300 + "a",
        ):
            with self.assertRaises(NameInvalid):
                RepositoryName.parse(text)

    def test_longest_name(self) -> None:
        """255 characters are a name."""
        self.assertEqual(len(str(RepositoryName.parse("a" * 255))), 255)

    def test_tags(self) -> None:
        """Letters, digits, and three signs that do not begin one, except one."""
        for text in ("v1", "_x", "A.b-c_d", "x" * 128):
            self.assertEqual(str(Tag.parse(text)), text)
        for text in ("", "-x", ".x", "x" * 129, "a b", "ä", "a\n", "a/b"):
            with self.assertRaises(TagInvalid):
                Tag.parse(text)

    def test_reference(self) -> None:
        """With a colon it is a digest or nothing."""
        digest = Digest.of(b"")
        self.assertEqual(parse_reference(str(digest)), digest)
        self.assertEqual(parse_reference("v1"), Tag("v1"))
        with self.assertRaises(DigestInvalid):
            parse_reference("sha257:aa")


class PrefixTests(SynchronousTestCase):
    """What may become a name."""

    def test_names(self) -> None:
        """A host begins a name, though it is none, and so does the longest name."""
        long = "my_team" + "/" + ("b" * 49 + "/") * 4 + "c" * 46
        for text in (
            "a",
            "a/b",
            "Host.example",
            "a--b/c.d",
            "h:5000",
            long,
            f"{long}c",
        ):
            self.assertTrue(is_name_prefix(text), text)
        for text in ("", "/", "a/", ".a", "_layers", "a/Host"):
            self.assertFalse(is_name_prefix(text), text)
