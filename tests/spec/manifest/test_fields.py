"""Fields of documents that anybody may have written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.descriptor import Descriptor, Platform
from txregistry.spec.digest import Digest
from txregistry.spec.errors import ManifestInvalid
from txregistry.spec.manifest import fields
from txregistry.spec.mediatypes import OCTET_STREAM

DIGEST = Digest.of(b"x")

#: A lone surrogate: JSON can express it, UTF-8 cannot.
SURROGATE = "a\ud800"


class LoadTests(SynchronousTestCase):
    """A whole document."""

    def test_objects(self) -> None:
        """An object is read, whatever is in it."""
        self.assertEqual(fields.load(b' {"a": [1.5, null]} '), {"a": [1.5, None]})

    def test_others(self) -> None:
        """Other values, other encodings and numbers that JSON has not are refused."""
        for content in (
            b"",
            b"[]",
            b"null",
            b'"text"',
            b"{",
            b'{"a": NaN}',
            b'{"a": [-Infinity]}',
            b'\xef\xbb\xbf{"a": 1}',
            '{"a": 1}'.encode("utf-16"),
            b'{"\xff": 1}',
        ):
            self.assertRaises(ManifestInvalid, fields.load, content)


class ValueTests(SynchronousTestCase):
    """One value of it."""

    def refused(self, read: Callable[[Any, str], Any], *values: Any) -> None:
        """Check that each value is refused, by the name of the field."""
        for value in values:
            error = self.assertRaises(ManifestInvalid, read, value, "the.field")
            self.assertEqual(error.detail["field"][:9], "the.field", value)

    def test_absent(self) -> None:
        """What is absent is empty; a size, a digest and an object must be there."""
        self.assertEqual(fields.as_list(None, "x"), ())
        self.assertEqual(fields.as_text(None, "x"), "")
        self.assertEqual(fields.as_annotations(None, "x"), {})
        self.assertEqual(fields.descriptors(None, "x"), ())
        self.assertIsNone(fields.as_platform(None, "x"))
        self.assertIsNone(fields.optional_descriptor(None, "x"))
        for read in (fields.as_size, fields.as_digest, fields.as_mapping):
            self.refused(read, None)

    def test_types(self) -> None:
        """A value of another type is refused, not converted."""
        self.refused(fields.as_mapping, [], "x", 1)
        self.refused(fields.as_list, {}, "x", 0)
        self.refused(fields.as_text, 1, [], True, SURROGATE)
        self.refused(fields.as_digest, 7, "", "sha256:x", f"{DIGEST} ")
        self.refused(fields.as_annotations, [], "x", {"a": 1}, {SURROGATE: "x"})
        self.refused(fields.as_platform, "linux", {"os": 1}, {"architecture": []})

    def test_sizes(self) -> None:
        """A size is an integer of 63 bits; true, 1.0 and -1 are none."""
        for value in (0, 1, fields.MAX_SIZE):
            self.assertEqual(fields.as_size(value, "x"), value)
        self.refused(fields.as_size, -1, fields.MAX_SIZE + 1, 1.0, True, "1")

    def test_descriptor(self) -> None:
        """Digest and size must be there, the rest may."""
        least = {"digest": str(DIGEST), "size": 3}
        self.assertEqual(
            fields.as_descriptor(least, "x"), Descriptor(DIGEST, 3, OCTET_STREAM)
        )
        platform = {"architecture": "arm64", "os": "linux", "variant": "v8"}
        more = {"mediaType": "x/y", "urls": ["http://a/"], "platform": platform}
        expected = Descriptor(
            DIGEST, 3, "x/y", ("http://a/",), Platform("arm64", "linux")
        )
        self.assertEqual(fields.as_descriptor({**least, **more}, "x"), expected)
        for name, wrong in (("digest", "x"), ("size", None), ("urls", [1])):
            self.refused(fields.as_descriptor, {**least, name: wrong})

    def test_place_in_a_list(self) -> None:
        """The error of a list of descriptors says which of them is wrong."""
        good = {"digest": str(DIGEST), "size": 3}
        wrong = {**good, "size": -1}
        error = self.assertRaises(
            ManifestInvalid, fields.descriptors, [good, wrong], "layers"
        )
        self.assertEqual(error.detail["field"], "layers[1].size")

    def test_string_entries(self) -> None:
        """Of an object, entries that are no strings are dropped; others have none."""
        given = {"a": "1", "b": 2, "c": SURROGATE, SURROGATE: "d", "e": ""}
        self.assertEqual(fields.string_entries(given), {"a": "1", "e": ""})
        for other in (None, [], "x", 1):
            self.assertEqual(fields.string_entries(other), {})
