"""Who tries passwords, what password files say, and who gets in all the same."""

from __future__ import annotations

import base64
from typing import Any

import bcrypt
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import capturedLogs
from twisted.python.failure import Failure

from tests.auth.test_htpasswd import CountingDisk, HtpasswdCase, SlowDisk, hashed
from tests.auth.test_htpasswd import basic as basic_header
from txregistry.auth.htpasswd import CHECKS_AT_ONCE, MAX_WAITING, parse_basic
from txregistry.auth.passwords import (
    MAX_COST,
    Entries,
    cost_of,
    hash_of,
    invalid_lines,
    parse_entries,
    valid_entries,
)
from txregistry.interfaces.access import Grant, RequestFacts
from txregistry.spec.errors import TooManyRequests, Unauthorized

ATTACKER, FRIEND = "192.0.2.66", "192.0.2.1"


class CrowdCase(HtpasswdCase):
    """A file with ann in it, whose checks are done when the test says so."""

    def setUp(self) -> None:
        super().setUp()
        self.disk = SlowDisk()
        self.access = self.make()

    def login(self, peer: str, user: str, password: str) -> list[Any]:
        """Try a password from an address; the list gets what comes of it."""
        facts = RequestFacts(authorization=basic_header(user, password), peer=peer)
        outcome: list[Any] = []
        self.access.authorize(facts=facts, wanted=[]).addBoth(outcome.append)
        return outcome

    def crowd(self, count: int, peer: str = ATTACKER, user: str = "u{}") -> list[Any]:
        """Try as many wrong passwords; with ``{}`` in them names or addresses vary."""
        return [
            self.login(peer.format(n), user.format(n), f"wrong{n}")
            for n in range(count)
        ]

    def rounds_until(self, outcome: list[Any]) -> int:
        """Let jobs be done, as many at a time as are under way, until there is one."""
        for count in range(1000):
            if outcome:
                return count
            self.disk.finish()
        raise AssertionError("was never answered")

    def assert_in(self, outcome: list[Any], within: int) -> None:
        self.assertLessEqual(self.rounds_until(outcome), within)
        self.assertIsInstance(outcome[0], Grant)


class CrowdTests(CrowdCase):
    """Many wrong passwords at once."""

    def test_one_address_keeps_nobody_out(self) -> None:
        """Behind 300 wrong passwords of one address another's turn is the next."""
        self.crowd(300)
        self.assert_in(self.login(FRIEND, "ann", "right"), 2)

    def test_one_name_from_one_address(self) -> None:
        """Who tries 300 passwords of ann's does not keep ann out."""
        self.crowd(300, user="ann")
        self.assert_in(self.login(FRIEND, "ann", "right"), 2)

    def test_one_name_behind_one_address(self) -> None:
        """Behind a proxy too, 300 passwords of one name keep no other name out."""
        self.crowd(300, peer=FRIEND, user="bob")
        outcome = self.login(FRIEND, "ann", "right")
        self.assertEqual(outcome, [], "she is not refused")

    def test_many_addresses_one_name(self) -> None:
        """300 addresses that try one name keep no other name out."""
        self.crowd(300, peer="10.0.0.{}", user="bob")
        self.assert_in(self.login(FRIEND, "ann", "right"), 2)

    def test_refused_at_once(self) -> None:
        """What is beyond the room is 429 at once, without a hash being compared."""
        refused = [found[0] for found in self.crowd(300) if found]
        self.assertEqual(len(refused), 300 - MAX_WAITING - CHECKS_AT_ONCE)
        for failure in refused:
            self.assertIsInstance(failure, Failure)
            self.assertEqual(failure.type, TooManyRequests)
            self.assertEqual(failure.value.headers, {"Retry-After": "1"})
        self.assertEqual(len(self.disk.jobs), CHECKS_AT_ONCE)

    def test_others_are_answered_in_the_end(self) -> None:
        """Whoever waits is answered: with a wrong password that it is wrong."""
        outcomes = self.crowd(100)
        for outcome in outcomes:
            self.rounds_until(outcome)
            self.assertEqual(outcome[0].type, Unauthorized)

    def test_who_leaves_makes_no_work(self) -> None:
        """300 clients that leave at once leave no more jobs than are done at once."""
        for n in range(300):
            facts = RequestFacts(authorization=basic_header("ann", str(n)))
            asked = self.access.authorize(facts=facts, wanted=[])
            asked.addErrback(lambda _: None)
            asked.cancel()
        self.assertLessEqual(len(self.disk.jobs), CHECKS_AT_ONCE)
        self.assert_in(self.login(FRIEND, "ann", "right"), 2)

    def test_remembered_password(self) -> None:
        """A password that was right needs no turn."""
        first = self.login(FRIEND, "ann", "right")
        self.assert_in(first, 2)
        self.crowd(300)
        self.assert_in(self.login(FRIEND, "ann", "right"), 0)


#: The characters of a hash after its salt begins.
SALT = len("$2b$04$")


class DamagedFileTests(HtpasswdCase):
    """A password file of which something is damaged."""

    def compared(self, user: str) -> bytes:
        """Give the hash with which a password of a user was compared."""
        self.disk = CountingDisk()
        self.access = self.make()
        self.assertFalse(self.accepted(user, "x"))
        (found,) = self.disk.compared
        return found

    def test_salt_that_is_none(self) -> None:
        """A damaged salt costs an unknown user as much time as a good one."""
        good = hashed("right", rounds=5)
        for letter in "abcdfgAB/019":
            salt = "$2b$31$" + good[SALT : SALT + 21] + letter
            damaged = salt + good[SALT + 22 :]
            self.lines(f"ann:{good}", f"bad:{damaged}")
            self.assertEqual(self.compared("nobody"), good.encode(), letter)
            self.assertEqual(self.compared("bad"), good.encode(), letter)

    def test_every_whole_hash_is_compared(self) -> None:
        """What is taken for a hash is one for bcrypt: it takes its time."""
        good = hashed("right").encode()
        for position in range(SALT, len(good)):
            for letter in (b"z", b"/", b"."):
                line = good[:position] + letter + good[position + 1 :]
                if hash_of(line):
                    bcrypt.checkpw(b"x", line)  # raises for what it cannot read

    def test_costs_are_numbers(self) -> None:
        """The stand-in has the highest cost of the file that can be used."""
        low, high = hashed("a", rounds=4), hashed("b", rounds=10)
        for damaged in ("$2b$9$", "$2b$99$", "$2b$00$", "$2b$31$", "$2b$ 9$"):
            rest = low[SALT:]
            self.lines(f"ann:{low}", f"bad:{damaged}{rest}", f"ben:{high}")
            self.assertEqual(self.compared("nobody"), high.encode(), damaged)

    def test_removed_user_stays_out(self) -> None:
        """A user who was removed is out, though another line was damaged with it."""
        for bad in ("half a li", "\x00", "bob", "bob:{SHA}x", ":", "\ufeffx", "a b c"):
            self.lines(f"ann:{hashed('right')}", f"bob:{hashed('other')}")
            self.access = self.make()
            self.assertTrue(self.accepted("ann", "right"))
            self.lines(bad, f"cid:{hashed('third')}")
            self.assertFalse(self.accepted("ann", "right"), bad)
            self.assertTrue(self.accepted("cid", "third"), bad)

    def test_own_line_damaged(self) -> None:
        """A last line of a user that lost its colon puts no older one in its place."""
        self.accepted("ann", "right")
        self.lines(f"ann:{hashed('older')}", "ann", "# longer")
        self.assertFalse(self.accepted("ann", "older"))

    def test_told(self) -> None:
        """Bad lines of a changed file are told by number and reason, nothing else."""
        self.accepted("ann", "right")
        self.lines(f"ann:{hashed('right')}", "s3cretword", "bob:s3cretword")
        with capturedLogs() as events:
            self.assertTrue(self.accepted("ann", "right"))
        told = [(event["number"], event["reason"]) for event in events]
        self.assertEqual(
            told,
            [(2, "expected name:hash"), (3, "expected a bcrypt hash of cost 4 to 18")],
        )
        self.assertNotIn("s3cretword", repr([e["log_format"] for e in events]))

    def test_start_refuses(self) -> None:
        """A start still refuses a file with a line without a colon."""
        self.lines(f"ann:{hashed('right')}", "half a li")
        error = self.assertRaises(ValueError, self.make)
        self.assertIn("line 2", str(error))


#: What a password file may hold, with what makes a line mixed in.
PARTS = (b":", b"$", b"$2b$", b"04", b"#", b"\n", b" ", b"\xff", b"\0", b"ann")
WHOLE = (hashed("x").encode(), b"a" * 21, b"\xef\xbb\xbf")
LINES = st.lists(st.sampled_from(PARTS + WHOLE) | st.binary(max_size=8)).map(b"".join)


class FuzzTests(HtpasswdCase):
    """What others write is read without an exception that is not ours."""

    @settings(max_examples=100, deadline=None)
    @given(LINES)
    def test_password_files(self, content: bytes) -> None:
        """Any file has good lines and bad ones; a refusal names a line."""
        found = valid_entries(content)
        self.assertIsInstance(found, Entries)
        bad = invalid_lines(content)
        try:
            strict = parse_entries(content)
        except ValueError as error:
            self.assertRegex(str(error), r"^line [0-9]+: expected name:hash$")
            self.assertTrue(bad)
        else:
            self.assertEqual(set(strict), set(found.hashes))
        for line in filter(None, found.hashes.values()):
            self.assertLessEqual(cost_of(line), MAX_COST)

    @settings(max_examples=100, deadline=None)
    @given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
    def test_basic(self, text: str) -> None:
        """Any header gives a name and a password, or nothing."""
        encoded = base64.b64encode(text.encode("utf-8", "replace")).decode()
        for header in (text, f"Basic {text}", f"basic {encoded}", f"Basic\t{encoded}"):
            found = parse_basic(header)
            self.assertTrue(found is None or isinstance(found[1], bytes))
        user, colon, password = text.encode("utf-8", "replace").partition(b":")
        if colon:
            expected = (user.decode("utf-8"), password)
            self.assertEqual(parse_basic(f"Basic {encoded}"), expected)

    @settings(max_examples=100, deadline=None)
    @given(st.text(), st.binary(max_size=100), st.text(max_size=20))
    def test_logins(self, user: str, password: bytes, peer: str) -> None:
        """Whatever comes as a name and a password is let in or refused."""
        raw = user.encode("utf-8", "replace") + b":" + password
        header = "Basic " + base64.b64encode(raw).decode()
        facts = RequestFacts(authorization=header, peer=peer)
        self.failureResultOf(
            self.access.authorize(facts=facts, wanted=[]), Unauthorized
        )
