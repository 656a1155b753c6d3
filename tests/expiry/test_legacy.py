"""The state file of the Go registry's scheduler."""

from __future__ import annotations

import json

import attrs
from twisted.trial.unittest import SynchronousTestCase

from txregistry.expiry.legacy import read_state, write_state
from txregistry.expiry.plan import ExpiryPlan
from txregistry.interfaces.expiry import NEVER, Entry, EntryKey, Kind
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName

PLAN = ExpiryPlan(3600)
DIGEST = Digest.of(b"content")
KEY = f"library/busybox@{DIGEST}"
EXPIRY = "2024-01-02T03:04:05.123456789+02:00"
MOMENT = 1704157445.123456


def blob(last_use: float) -> Entry:
    name = RepositoryName("library/busybox")
    return Entry(EntryKey(name, Kind.BLOB, str(DIGEST)), 0, last_use)


def state(key: str = KEY, **changes: object) -> bytes:
    value = {"Key": key, "ExpiryData": EXPIRY, "EntryType": 0, **changes}
    return json.dumps({key: value}).encode()


class ReadTests(SynchronousTestCase):
    """What the Go registry has left."""

    def test_blob_and_manifest(self) -> None:
        """Its time is when something is due, ours when it was last used."""
        self.assertEqual(read_state(state(), PLAN), [blob(MOMENT - 3600)])
        (manifest,) = read_state(state(EntryType=1), PLAN)
        self.assertIs(manifest.key.kind, Kind.MANIFEST)

    def test_nothing(self) -> None:
        """Go writes an empty map as an object or as null."""
        for content in (b"{}", b"null"):
            self.assertEqual(read_state(content, PLAN), [])

    def test_entries_that_cannot_be_used(self) -> None:
        """They are passed over, and the others are read."""
        broken: list[tuple[str, object]] = [
            (str(DIGEST), {"ExpiryData": EXPIRY, "EntryType": 0}),
            ("library/busybox", {"ExpiryData": EXPIRY, "EntryType": 1}),
            ("library/busybox@sha256:12", {"ExpiryData": EXPIRY, "EntryType": 0}),
            (f"UPPER@{DIGEST}", {"ExpiryData": EXPIRY, "EntryType": 0}),
            (f"a@{DIGEST}", {"ExpiryData": EXPIRY, "EntryType": 2}),
            (f"b@{DIGEST}", {"ExpiryData": EXPIRY, "EntryType": []}),
            (f"c@{DIGEST}", {"ExpiryData": EXPIRY}),
            (f"d@{DIGEST}", {"ExpiryData": "tomorrow", "EntryType": 0}),
            (f"e@{DIGEST}", {"ExpiryData": "2024-01-02T03:04:05", "EntryType": 0}),
            (f"f@{DIGEST}", {"ExpiryData": None, "EntryType": 0}),
            (f"g@{DIGEST}", "text"),
            (f"h@{DIGEST}", None),
            (f"i@{DIGEST}", []),
        ]
        document = {**dict(broken), **json.loads(state())}
        found = read_state(json.dumps(document).encode(), PLAN)
        self.assertEqual(found, [blob(MOMENT - 3600)])

    def test_times_at_the_ends(self) -> None:
        """A time that UTC cannot show is passed over, or read."""
        for time in ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:00"):
            self.assertLessEqual(len(read_state(state(ExpiryData=time), PLAN)), 1)

    def test_no_such_file(self) -> None:
        """What is no JSON object is refused as a whole."""
        nested = b'{"a":' + b"[" * 100_000
        for content in (b"", b"{", b"[1]", b'"x"', b"\xff", b"1", nested):
            with self.assertRaises(ValueError, msg=content[:9]):
                read_state(content, PLAN)


class WriteTests(SynchronousTestCase):
    """What the Go registry is left."""

    def test_form(self) -> None:
        """Each entry has its key twice, its time and the number of its kind."""
        written = json.loads(write_state([blob(MOMENT - 3600)], PLAN))
        time = "2024-01-02T01:04:05.123456Z"
        expected = {"Key": KEY, "ExpiryData": time, "EntryType": 0}
        self.assertEqual(written, {KEY: expected})

    def test_tags_are_left_out(self) -> None:
        """The Go registry has no entries for tags."""
        tag = Entry(EntryKey(RepositoryName("a"), Kind.TAG, "latest"), 0, 0.0)
        self.assertEqual(write_state([tag], PLAN), b"{}")

    def test_what_never_expires_is_left_out(self) -> None:
        """A row of a repository that was local has no time that could be written."""
        kept = attrs.evolve(blob(0.0), last_use=NEVER)
        self.assertEqual(write_state([kept], PLAN), b"{}")

    def test_round_trip(self) -> None:
        """What is written is read again as it was."""
        entries = [
            Entry(EntryKey(RepositoryName("a/b"), kind, str(DIGEST)), 0, 1e9)
            for kind in (Kind.BLOB,)
        ]
        other = EntryKey(RepositoryName("c"), Kind.MANIFEST, str(Digest.of(b"")))
        entries.append(Entry(other, 0, 2e9))
        self.assertEqual(read_state(write_state(entries, PLAN), PLAN), entries)
