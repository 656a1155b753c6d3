"""``auth.htpasswd``: a password file, read again when it changes."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bcrypt
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from txregistry.auth.htpasswd import parse_basic
from txregistry.auth.maker import make_controller
from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.access import Access, Grant, IAccessController, RequestFacts
from txregistry.spec.errors import RegistryError, Unauthorized, Unavailable

WANTED = [Access("repository", "a/b", "pull"), Access("repository", "a/b", "push")]


def hashed(password: str, prefix: bytes = b"2b", rounds: int = 4) -> str:
    """Hash a password, as cheaply as bcrypt allows unless told otherwise."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds, prefix)).decode()


def basic(user: str, password: str) -> str:
    """Give the header for a name and a password."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class CountingDisk(InlineDisk):
    """Counts what is done off the reactor thread."""

    def __init__(self) -> None:
        self.jobs = 0
        self.compared: list[bytes] = []

    def run(self, work: Callable[..., Any], *args: Any) -> Deferred[Any]:
        """Count one and do it."""
        self.jobs += 1
        self.compared.append(args[0])
        return super().run(work, *args)


class SlowDisk:
    """Does what it is asked when it is told to."""

    def __init__(self) -> None:
        self.jobs: list[Callable[[], None]] = []

    def run(self, work: Callable[..., Any], *args: Any) -> Deferred[Any]:
        """Keep one for later."""
        done: Deferred[Any] = Deferred()
        inline = InlineDisk()
        self.jobs.append(lambda: inline.run(work, *args).chainDeferred(done))
        return done

    def finish(self) -> None:
        """Do all that is kept."""
        jobs, self.jobs = self.jobs, []
        for job in jobs:
            job()


class HtpasswdCase(SynchronousTestCase):
    """A file with one user, ann, whose password is right."""

    disk: Any = None

    def setUp(self) -> None:
        # A tenth of a second for each hash that is made would add up.
        salt = bcrypt.gensalt
        self.patch(
            bcrypt, "gensalt", lambda rounds=4, prefix=b"2b": salt(rounds, prefix)
        )
        self.path = Path(self.mktemp())
        self.disk = CountingDisk()
        self.lines(f"ann:{hashed('right')}")
        self.access = self.make()

    def lines(self, *lines: str) -> None:
        self.path.write_text("".join(f"{line}\n" for line in lines))

    def make(self) -> IAccessController:
        given = {"realm": "Registry Realm", "path": str(self.path)}
        return make_controller("htpasswd", given, self.disk, Clock())

    def ask(self, header: str) -> Deferred[Grant]:
        facts = RequestFacts(authorization=header)
        return self.access.authorize(facts=facts, wanted=WANTED)

    def tried(self, header: str) -> RegistryError:
        return self.failureResultOf(self.ask(header), RegistryError).value

    def accepted(self, user: str, password: str) -> bool:
        outcome: list[Any] = []
        self.ask(basic(user, password)).addBoth(outcome.append)
        (found,) = outcome
        if isinstance(found, Grant):
            self.assertEqual((found.user, found.everything), (user, True))
            return True
        self.assertEqual(found.type, Unauthorized, found)
        return False


class PasswordTests(HtpasswdCase):
    """Who gets in."""

    def test_right_password(self) -> None:
        """A user of the file with the right password may do everything."""
        self.assertTrue(self.accepted("ann", "right"))

    def test_challenge(self) -> None:
        """Whoever sends nothing is asked for a name and a password."""
        error = self.tried("")
        self.assertIsInstance(error, Unauthorized)
        self.assertEqual(error.status, 401)
        challenge = error.headers["WWW-Authenticate"]
        self.assertEqual(challenge, 'Basic realm="Registry Realm"')

    def test_detail(self) -> None:
        """The refusal says what was wanted."""
        self.assertEqual(
            self.tried("").detail,
            [
                {"Type": "repository", "Class": "", "Name": "a/b", "Action": "pull"},
                {"Type": "repository", "Class": "", "Name": "a/b", "Action": "push"},
            ],
        )

    def test_wrong_password(self) -> None:
        """A wrong password, an empty one, and one in another case are refused."""
        for password in ("wrong", "", "Right", "right ", "rightright"):
            self.assertFalse(self.accepted("ann", password), password)

    def test_unknown_user(self) -> None:
        """A user that is not in the file is refused, whatever the password."""
        for user in ("bob", "", "Ann", "ann "):
            self.assertFalse(self.accepted(user, "right"), user)

    def test_unknown_user_takes_as_long(self) -> None:
        """For an unknown user a hash is compared as well, and never matches."""
        self.assertFalse(self.accepted("bob", ""))
        self.assertEqual(self.disk.jobs, 1)

    def test_unknown_user_costs_what_a_known_one_does(self) -> None:
        """The hash that stands in has the cost of the file's own, to level timing."""
        self.lines(f"ann:{hashed('right', rounds=5)}")
        self.accepted("bob", "x")
        (compared,) = self.disk.compared
        self.assertEqual(compared.split(b"$")[2], b"05")

    def test_other_hashes(self) -> None:
        """Only bcrypt counts: other entries fail even with the right password."""
        sha = base64.b64encode(hashlib.sha1(b"right").digest()).decode()
        self.lines(
            f"sha:{{SHA}}{sha}",
            "plain:right",
            "apr:$apr1$nJ9pyHGV$Zzb0uYjdTNOh1sDr3yqAm/",
            "crypt:rqXexS6ZhobKA",
            "empty:",
            "cut:$2b$04$",
            "none:$2b$04$................................................",
        )
        for user in ("sha", "plain", "apr", "crypt", "empty", "cut", "none"):
            for password in ("right", ""):
                self.assertFalse(self.accepted(user, password), user)

    def test_after_the_hash(self) -> None:
        """What follows a hash in its line is a comment, as for docker-registry."""
        entry = hashed("right")
        for tail in (":comment", " # comment", " ", "\t", ":", "x", "é", "," + entry):
            self.lines(f"ann:{entry}{tail}", f"# {tail}")
            self.assertTrue(self.accepted("ann", "right"), tail)
            self.assertFalse(self.accepted("ann", "right" + tail), tail)
            self.assertFalse(self.accepted("ann", ""), tail)

    def test_before_the_hash(self) -> None:
        """A hash that does not begin where the name ends is none."""
        for lead in (" ", ":", "x:", "#"):
            self.lines(f"ann:{lead}{hashed('right')}")
            self.assertFalse(self.accepted("ann", "right"), lead)

    def test_last_line_of_a_user(self) -> None:
        """The last line of a user counts, even one that lets nobody in."""
        right, other = hashed("right"), hashed("other")
        self.lines(f"ann:{right}", f"ann:{other}:second")
        self.assertTrue(self.accepted("ann", "other"))
        self.assertFalse(self.accepted("ann", "right"))
        self.lines(f"ann:{right}", "ann:!", "# revoked")
        self.assertFalse(self.accepted("ann", "right"))

    def test_unusable_lines_are_told(self) -> None:
        """Each line that lets nobody in is told by its number, without what it says."""
        entry = hashed("right")
        with capturedLogs() as events:
            self.lines(
                "# one",
                f"ann:{entry} # fine",
                "",
                "bob:{SHA}c2VjcmV0",
                f"cut:{entry[:-1]}",
                "plain:s3cretword",
                f"cost:{entry.replace('$04$', '$32$')}",
            )
            self.make()
        told = [event["number"] for event in events if "number" in event]
        self.assertEqual(told, [4, 5, 6, 7])
        text = repr([{**event, "log_source": ""} for event in events])
        for secret in ("c2VjcmV0", entry[10:40], "s3cretword", "bob", "plain"):
            self.assertNotIn(secret, text)

    def test_unusable_lines_of_a_changed_file(self) -> None:
        """They are told again when the file has changed, and only then."""
        with capturedLogs() as events:
            for _ in range(3):
                self.accepted("ann", "right")
            self.lines(f"ann:{hashed('right')}", "bob:x")
            for _ in range(3):
                self.accepted("ann", "right")
        self.assertEqual([e["number"] for e in events if "number" in e], [2])

    def test_prefixes(self) -> None:
        """Hashes of Apache's htpasswd, of Go and of Python are all bcrypt."""
        entry = hashed("right")
        self.lines(f"a:{hashed('right', b'2a')}", f"y:{entry.replace('$2b$', '$2y$')}")
        self.assertTrue(self.accepted("a", "right"))
        self.assertTrue(self.accepted("y", "right"))

    def test_long_password(self) -> None:
        """A password beyond the 72 bytes of bcrypt is no error."""
        long = "x" * 100
        self.lines(f"ann:{hashed(long[:72])}")
        self.assertTrue(self.accepted("ann", long))
        self.assertFalse(self.accepted("ann", "y" + long))

    def test_colon_in_password(self) -> None:
        """The first colon ends the name; the password may have more (RFC 7617, 2)."""
        self.lines(f"ann:{hashed('a:b:c')}")
        self.assertTrue(self.accepted("ann", "a:b:c"))

    def test_unicode(self) -> None:
        """Names and passwords are UTF-8."""
        self.lines(f"jürgen:{hashed('größe')}")
        self.assertTrue(self.accepted("jürgen", "größe"))

    def test_malformed_headers(self) -> None:
        """What is no Basic header, or a broken one, is asked again."""
        odd = base64.b64encode(b"nocolon").decode()
        binary = base64.b64encode(b"\xff\xfe:right").decode()
        for header in (
            "Basic",
            "Basic ",
            "Basic !!!",
            f"Basic {odd}",
            f"Basic {binary}",
            "Basic é",
            "Bearer abc",
            basic("ann", "right").replace("Basic", "Digest"),
        ):
            self.assertIsInstance(self.tried(header), Unauthorized, header)

    def test_scheme_in_any_case(self) -> None:
        """The scheme is compared without regard to case (RFC 9110, 11.1)."""
        header = basic("ann", "right").replace("Basic", "bAsIc")
        self.assertEqual(self.successResultOf(self.ask(header)).user, "ann")

    def test_empty_password_is_one(self) -> None:
        """A user whose password is empty gets in with just that."""
        self.lines(f"ann:{hashed('')}")
        self.assertTrue(self.accepted("ann", ""))
        self.assertFalse(self.accepted("ann", "x"))


class HeaderTests(SynchronousTestCase):
    """The header of a client."""

    def test_basic_header(self) -> None:
        """A header gives name and password, or nothing."""
        self.assertEqual(parse_basic("Basic YTpi"), ("a", b"b"))
        self.assertEqual(parse_basic("Basic YTo="), ("a", b""))
        self.assertIsNone(parse_basic("Basic YQ=="))
        self.assertIsNone(parse_basic(""))


class FileTests(HtpasswdCase):
    """The file itself: made, left alone, changed, gone."""

    def test_missing_file_is_made(self) -> None:
        """A file that is not there is made for docker; the log tells the password."""
        self.path.unlink()
        with capturedLogs() as events:
            self.access = self.make()
        (told,) = [event for event in events if "password" in event]
        self.assertTrue(self.accepted("docker", told["password"]))
        self.assertTrue(self.path.read_bytes().startswith(b"docker:$2"))
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)

    def test_made_passwords_differ(self) -> None:
        """Each file that is made has a password of its own, long enough."""
        found = set()
        for _ in range(2):
            self.path.unlink()
            with capturedLogs() as events:
                self.make()
            found |= {event["password"] for event in events if "password" in event}
        self.assertEqual(len(found), 2)
        self.assertTrue(all(len(password) >= 20 for password in found))

    def test_missing_directory(self) -> None:
        """The directory of a file that is made is made too."""
        self.path = self.path.parent / "deep" / "down" / "htpasswd"
        self.make()
        self.assertTrue(self.path.exists())

    def test_empty_file_stays(self) -> None:
        """A file that is there and empty is left as it is, and lets nobody in."""
        self.path.write_bytes(b"")
        self.access = self.make()
        self.assertEqual(self.path.read_bytes(), b"")
        self.assertFalse(self.accepted("docker", ""))

    def test_malformed_at_start(self) -> None:
        """A malformed file is told of at the start, by path and line."""
        self.lines("# fine", "no colon here")
        error = self.assertRaises(ValueError, self.make)
        self.assertIn(str(self.path), str(error))
        self.assertIn("line 2", str(error))

    def test_directory_instead(self) -> None:
        """Something that cannot be read is told of at the start."""
        self.path.unlink()
        self.path.mkdir()
        self.assertRaises(OSError, self.make)

    def test_reload(self) -> None:
        """A changed file holds at once: new users get in, removed ones do not."""
        self.assertTrue(self.accepted("ann", "right"))
        self.lines(f"bob:{hashed('other')}", "# ann has left")
        self.assertTrue(self.accepted("bob", "other"))
        self.assertFalse(self.accepted("ann", "right"))

    def test_changed_password(self) -> None:
        """A remembered password is worth nothing once the file has another."""
        self.assertTrue(self.accepted("ann", "right"))
        self.lines(f"ann:{hashed('newer')}", "# and a line to make it longer")
        self.assertFalse(self.accepted("ann", "right"))
        self.assertTrue(self.accepted("ann", "newer"))

    def test_replaced_by_rename(self) -> None:
        """A file of the same size and time that was put in its place is read."""
        before = self.path.stat()
        other = self.path.with_suffix(".new")
        other.write_text(f"ann:{hashed('newer')}\n")
        os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
        os.replace(other, self.path)
        self.assertTrue(self.accepted("ann", "newer"))

    def test_malformed_later(self) -> None:
        """Of a file that becomes malformed the good lines hold, and the log says so."""
        self.lines(f"bob:{hashed('other')}", "half a li")
        with capturedLogs() as events:
            self.assertFalse(self.accepted("ann", "right"))
            self.assertTrue(self.accepted("bob", "other"))
        told = [event["number"] for event in events if "number" in event]
        self.assertEqual(told, [2], "once per change")

    def test_file_vanishes(self) -> None:
        """A file that cannot be read is our trouble, not the client's: 503, not 401."""
        self.assertTrue(self.accepted("ann", "right"))
        self.path.unlink()
        for header in (basic("ann", "right"), basic("bob", "x")):
            error = self.tried(header)
            self.assertIsInstance(error, Unavailable)
            self.assertEqual(error.status, 503)
            self.assertNotIn(str(self.path), str(error.detail))

    def test_file_comes_back(self) -> None:
        """When the file is there again, so are its users."""
        content = self.path.read_bytes()
        self.path.unlink()
        self.assertIsInstance(self.tried(basic("ann", "right")), Unavailable)
        self.path.write_bytes(content)
        self.assertTrue(self.accepted("ann", "right"))

    def test_password_is_not_logged(self) -> None:
        """No log event holds a password that a client sent."""
        with capturedLogs() as events:
            self.accepted("ann", "s3cretword")
            self.path.unlink()
            self.tried(basic("ann", "s3cretword"))
        self.assertNotIn("s3cretword", repr(events))


class CostTests(HtpasswdCase):
    """bcrypt is slow by design: off the reactor thread, and seldom."""

    def test_remembered(self) -> None:
        """A password that was right is checked once until the file changes."""
        for _ in range(5):
            self.assertTrue(self.accepted("ann", "right"))
        self.assertEqual(self.disk.jobs, 1)

    def test_failures_are_not_remembered(self) -> None:
        """A password that was wrong is checked each time."""
        for _ in range(3):
            self.accepted("ann", "wrong")
        self.assertEqual(self.disk.jobs, 3)

    def test_other_line_changed(self) -> None:
        """A user whose own line stays is not checked again."""
        self.accepted("ann", "right")
        line = self.path.read_text().strip()
        self.lines(line, f"bob:{hashed('x')}")
        self.accepted("ann", "right")
        self.assertEqual(self.disk.jobs, 1)

    def test_swapped_hashes(self) -> None:
        """What is remembered of one user opens nothing for another."""
        self.lines(f"ann:{hashed('right')}", f"bob:{hashed('other')}")
        self.assertTrue(self.accepted("ann", "right"))
        self.assertFalse(self.accepted("bob", "right"))

    def test_no_header_costs_nothing(self) -> None:
        """Without a password there is nothing to check."""
        self.tried("")
        self.assertEqual(self.disk.jobs, 0)

    def test_single_flight(self) -> None:
        """Requests that bring the same password together share one check."""
        self.disk = SlowDisk()
        self.access = self.make()
        asked = [self.ask(basic("ann", "right")) for _ in range(10)]
        other = self.ask(basic("ann", "wrong"))
        self.assertEqual(len(self.disk.jobs), 2)
        for waiting in (*asked, other):
            self.assertNoResult(waiting)
        self.disk.finish()
        for waiting in asked:
            self.assertEqual(self.successResultOf(waiting).user, "ann")
        self.failureResultOf(other, Unauthorized)

    def test_one_leaves(self) -> None:
        """A client that leaves while it waits takes nobody else along."""
        self.disk = SlowDisk()
        self.access = self.make()
        first, second = (self.ask(basic("ann", "right")) for _ in range(2))
        first.addErrback(lambda _: None)
        first.cancel()
        self.disk.finish()
        self.assertEqual(self.successResultOf(second).user, "ann")

    def test_changed_during_check(self) -> None:
        """A password that was changed while it was checked is not remembered."""
        self.disk = SlowDisk()
        self.access = self.make()
        first = self.ask(basic("ann", "right"))
        self.lines(f"ann:{hashed('newer')}", "# longer")
        self.disk.finish()
        first.addErrback(lambda _: None)
        later = self.ask(basic("ann", "right"))
        self.disk.finish()
        self.failureResultOf(later, Unauthorized)

    def test_memory_is_bounded(self) -> None:
        """However many passwords are right, only so many are remembered."""
        self.patch_limit(3)
        self.lines(*[f"u{n}:{hashed(str(n))}" for n in range(5)])
        for n in range(5):
            self.assertTrue(self.accepted(f"u{n}", str(n)))
        self.assertEqual(len(self.access._verified), 3)
        self.accepted("u4", "4")
        self.assertEqual(self.disk.jobs, 5)
        self.accepted("u0", "0")
        self.assertEqual(self.disk.jobs, 6)

    def patch_limit(self, limit: int) -> None:
        self.access._verified.limit = limit

    def test_passwords_are_not_kept(self) -> None:
        """What is remembered is a keyed hash, from which nothing can be read."""
        self.accepted("ann", "right")
        self.assertNotIn(b"right", b"".join(dict(self.access._verified.items())))
