"""Lines of password files."""

from __future__ import annotations

from pathlib import Path

import bcrypt
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from txregistry.auth.passwords import (
    MAX_COST,
    cost_of,
    create_file,
    hash_of,
    invalid_lines,
    parse_entries,
    valid_entries,
    watch_entries,
)

#: What follows version and cost in a hash: salt and hash, as bcrypt writes them.
REST = b"abcdefghijklmnopqrstuu" + b"A" * 30 + b"S"


def hashed(cost: int, version: bytes = b"2b") -> bytes:
    return b"$%b$%02d$%b" % (version, cost, REST)


class ParseTests(SynchronousTestCase):
    """The lines of a file."""

    def test_comments(self) -> None:
        """Comments and blank lines say nothing; a # later in a line belongs to it."""
        content = b"# one\n\n  \n   # two\na#b:c#d # e\n\tx:y\r\n"
        found = parse_entries(content)
        self.assertEqual(found, {"a#b": b"c#d # e", "x": b"y"})

    def test_no_colon(self) -> None:
        """A line without a colon is told by its number."""
        error = self.assertRaises(ValueError, parse_entries, b"# x\na:b\n\nab\n")
        self.assertIn("line 4", str(error))

    def test_no_utf8(self) -> None:
        """Bytes that are no UTF-8, in a comment or a name, keep nobody else out."""
        found = parse_entries(b"# f\xfcr uns\na:b\n\xff:x\nc:d\n")
        self.assertEqual((found["a"], found["c"], len(found)), (b"b", b"d", 3))

    def test_byte_order_mark(self) -> None:
        """What some editors put before a text is no part of a name."""
        self.assertEqual(parse_entries(b"\xef\xbb\xbfa:b\n"), {"a": b"b"})

    def test_colon_in_hash(self) -> None:
        """The first colon ends the name."""
        self.assertEqual(parse_entries(b"a:b:c\n"), {"a": b"b:c"})

    def test_empty(self) -> None:
        """An empty file knows nobody."""
        self.assertEqual(parse_entries(b""), {})


class HashTests(SynchronousTestCase):
    """What is taken for a hash."""

    def test_costs(self) -> None:
        """A cost is from 4 to 18; others are as no hash."""
        for cost in (4, 5, MAX_COST):
            self.assertEqual(hash_of(hashed(cost)), hashed(cost))
            self.assertEqual(cost_of(hashed(cost)), cost)
        for cost in (0, 3, MAX_COST + 1, 31, 99):
            self.assertEqual(hash_of(hashed(cost)), b"", cost)

    def test_form(self) -> None:
        """Four versions are known; what follows a hash is ignored, and little else."""
        for version in (b"2a", b"2b", b"2x", b"2y"):
            self.assertEqual(hash_of(hashed(5, version) + b" x"), hashed(5, version))
        good = hashed(5)
        for bad in (b"", b" " + good, good[:-1], hashed(5, b"2c"), b"{SHA}x"):
            self.assertEqual(hash_of(bad), b"", bad)

    def test_made_by_bcrypt(self) -> None:
        """What bcrypt makes is taken as it is."""
        made = bcrypt.hashpw(b"x", bcrypt.gensalt(4))
        self.assertEqual(hash_of(made), made)


class EntryTests(SynchronousTestCase):
    """The lines of a file that count."""

    CONTENT = b"ann:%b\nbob\ncid:x\n# no\nann:%b\n:%b\n" % (
        hashed(9),
        hashed(5),
        hashed(6),
    )

    def test_valid(self) -> None:
        """The last line of a user counts, a bad one lets nobody in."""
        found = valid_entries(self.CONTENT)
        expected = {"ann": hashed(5), "bob": b"", "cid": b"", "": hashed(6)}
        self.assertEqual(found.hashes, expected)

    def test_costliest(self) -> None:
        """For unknown users there is the hash that takes longest, if any."""
        self.assertEqual(valid_entries(self.CONTENT).costliest, hashed(6))
        self.assertEqual(valid_entries(b"ann:x\n").costliest, b"")

    def test_invalid(self) -> None:
        """Those that are wrong are named by their numbers, from 1."""
        found = invalid_lines(self.CONTENT)
        self.assertEqual([number for number, _ in found], [2, 3])
        self.assertIn("name:hash", found[0][1])
        self.assertIn("bcrypt", found[1][1])
        self.assertEqual(invalid_lines(b"# all is well\n"), [])


class WatchTests(SynchronousTestCase):
    """See Note [Good lines count]."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())

    def test_start(self) -> None:
        """At the start a line without a colon is an error; a bad hash is logged."""
        self.path.write_bytes(b"bob\n")
        self.assertRaises(ValueError, watch_entries(str(self.path)).read)
        self.path.write_bytes(b"bob:x\n")
        with capturedLogs() as events:
            watch_entries(str(self.path)).read()
        self.assertEqual([event["number"] for event in events], [1])

    def test_change(self) -> None:
        """Later it is logged as well, and the good lines count at once."""
        self.path.write_bytes(b"ann:%b\n" % hashed(5))
        watched = watch_entries(str(self.path))
        watched.read()
        self.path.write_bytes(b"bob\ncid:%b\n" % hashed(5))
        with capturedLogs() as events:
            found = watched.read().hashes
        self.assertEqual(found, {"bob": b"", "cid": hashed(5)})
        self.assertEqual([event["number"] for event in events], [1])


class CreateTests(SynchronousTestCase):
    """A file that is missing."""

    def test_made(self) -> None:
        """It is made with its directory, for its owner alone, with a password."""
        path = Path(self.mktemp()) / "sub" / "htpasswd"
        password = create_file(str(path))
        assert password is not None
        self.assertGreaterEqual(len(password), 32)
        found = valid_entries(path.read_bytes()).hashes
        self.assertEqual(list(found), ["docker"])
        self.assertTrue(bcrypt.checkpw(password.encode(), found["docker"]))
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)

    def test_there(self) -> None:
        """One that is there is left alone, even an empty one."""
        path = Path(self.mktemp())
        path.write_bytes(b"")
        self.assertIsNone(create_file(str(path)))
        self.assertEqual(path.read_bytes(), b"")

    def test_link_to_nothing(self) -> None:
        """A link is not followed to where somebody would have a file made."""
        path = Path(self.mktemp())
        path.symlink_to("elsewhere")
        self.assertRaises(OSError, create_file, str(path))
        self.assertFalse(path.exists())
