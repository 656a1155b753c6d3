"""Lists of referrers."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec import mediatypes
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import ManifestInvalid
from txregistry.spec.manifest.listing import (
    entries_of,
    valid_entries_of,
    write_listing,
)

FIRST = (Descriptor(Digest.of(b"1"), 5, mediatypes.OCI_MANIFEST), "a/sig", {"x": "y"})
SECOND = (Descriptor(Digest.of(b"2"), 6, mediatypes.OCI_INDEX), None, {})
GOOD = {"mediaType": "x/y", "digest": str(Digest.of(b"1")), "size": 5}


def listing(*entries: object) -> bytes:
    return json.dumps({"schemaVersion": 2, "manifests": entries}).encode()


class WriteTests(SynchronousTestCase):
    """What we send."""

    def test_round_trip(self) -> None:
        """What was written is read again, in the same order."""
        content = write_listing(iter((FIRST, SECOND)))
        self.assertEqual(list(entries_of(content)), [FIRST, SECOND])

    def test_form(self) -> None:
        """It is an image index; what an entry does not have is not in it."""
        document = json.loads(write_listing([SECOND]))
        self.assertEqual(document["schemaVersion"], 2)
        self.assertEqual(document["mediaType"], mediatypes.OCI_INDEX)
        self.assertEqual(set(document["manifests"][0]), {"mediaType", "digest", "size"})

    def test_nothing(self) -> None:
        """A list of none is a list."""
        self.assertEqual(json.loads(write_listing(()))["manifests"], [])


class ReadTests(SynchronousTestCase):
    """What others send."""

    def test_malformed_entry(self) -> None:
        """The entries before a malformed one are given, and it is named."""
        entries = entries_of(listing(GOOD, {**GOOD, "size": "5"}, GOOD))
        self.assertEqual(next(entries)[0].size, 5)
        error = self.assertRaises(ManifestInvalid, next, entries)
        self.assertEqual(error.detail["field"], "manifests[1].size")

    def test_malformed_entries_are_skipped(self) -> None:
        """Under a tag, the valid entries are given."""
        wrong = ({}, "x", {**GOOD, "digest": "x"}, {**GOOD, "artifactType": 1})
        found = list(valid_entries_of(listing(*wrong, GOOD, *wrong)))
        self.assertEqual([item[0].size for item in found], [5])

    def test_annotations(self) -> None:
        """One that is no string is dropped, and does not hide the entry."""
        content = listing({**GOOD, "annotations": {"a": 1, "b": "2"}})
        for read in (entries_of, valid_entries_of):
            ((_, _, annotations),) = read(content)
            self.assertEqual(annotations, {"b": "2"})

    def test_no_list(self) -> None:
        """What is no index at all is refused by both."""
        for content in (b"", b"[]", b'{"manifests": {}}'):
            for read in (entries_of, valid_entries_of):
                self.assertRaises(ManifestInvalid, list, read(content))
