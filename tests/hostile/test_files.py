"""Files and what else lies about: modes, links, bombs, and a redis that lies."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import tempfile
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from txregistry.assembly.loading import load
from txregistry.config.http import Http
from txregistry.config.read import ConfigurationError, read_config
from txregistry.daemon.endpoints import main_endpoints
from txregistry.daemon.lock import DirectoryLock
from txregistry.flow.disk import InlineDisk
from txregistry.flow.redis.client import Redis, RedisAway, RedisSettings
from txregistry.flow.redis.txredisapi_private import MAX_ANSWER_BYTES, AnswerReader
from txregistry.interfaces.driver import DriverError, PathNotFound, RemoveTree
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName
from txregistry.storage.caches.redis_descriptors import RedisDescriptors
from txregistry.storage.tree import layout
from txregistry.storage.tree.walk import walk_repositories
from txregistry.storagedriver.filesystem.driver import FilesystemDriver

T = TypeVar("T")


def mode_of(path: str) -> int:
    """Give the mode of a file."""
    return stat.S_IMODE(os.stat(path).st_mode)


class LockTests(SynchronousTestCase):
    """Nobody else can hold the lock of a storage directory."""

    def setUp(self) -> None:
        self.path = os.path.join(self.mktemp(), "own", "lock")

    def start(self) -> None:
        lock = DirectoryLock(self.path)
        lock.startService()
        self.addCleanup(lock.stopService)

    def test_mode(self) -> None:
        """Only its owner can open it, and so hold it; whatever the umask is."""
        self.addCleanup(os.umask, os.umask(0))
        self.start()
        self.assertEqual(mode_of(self.path), 0o600)

    def test_older_file(self) -> None:
        """One that an older release left open to all is closed."""
        os.makedirs(os.path.dirname(self.path))
        Path(self.path).touch()
        os.chmod(self.path, 0o644)
        self.start()
        self.assertEqual(mode_of(self.path), 0o600)

    def test_link(self) -> None:
        """A link in its place is not followed: nothing is made or changed elsewhere."""
        os.makedirs(os.path.dirname(self.path))
        other = os.path.abspath(self.mktemp())
        os.symlink(other, self.path)
        self.assertRaises(OSError, self.start)
        self.assertFalse(os.path.exists(other))


class SocketModeTests(TestCase):
    """Who may connect to a socket in the file system."""

    async def mode(self, **changes: str) -> int:
        """Listen, and give the mode of the socket."""
        from twisted.internet import reactor

        path = os.path.join(tempfile.mkdtemp(), "s")  # a short one
        self.addCleanup(shutil.rmtree, os.path.dirname(path))
        http = attrs.evolve(Http(net="unix", addr=path), **changes)
        (endpoint,) = main_endpoints(reactor, http, ())
        port = await endpoint.listen(Factory())
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)
            return mode_of(path)
        finally:
            await port.stopListening()

    def test_modes(self) -> Deferred[None]:
        """The key decides; without it anybody may, as before."""

        async def run() -> None:
            self.assertEqual(await self.mode(), 0o666)
            for text, mode in (("0600", 0o600), ("660", 0o660), ("0777", 0o777)):
                self.assertEqual(await self.mode(socketmode=text), mode)

        return ensureDeferred(run())

    def test_as_it_is_written(self) -> None:
        """YAML's number and a variable's text both mean the octal one."""
        path = self.mktemp()
        Path(path).write_text(
            "version: 0.1\nstorage: inmemory\nhttp: {socketmode: 0640}\n"
        )
        self.assertEqual(load(path, {})[0].http.socketmode, "0640")
        changed = {"REGISTRY_HTTP_SOCKETMODE": "0600"}
        self.assertEqual(load(path, changed)[0].http.socketmode, "0600")

    def test_others_are_refused(self) -> None:
        """What is no mode is told by its key."""
        for text in ("rw", "0999", "6", "07777", "-660", "0660 "):
            given = {
                "version": "0.1",
                "storage": "inmemory",
                "http": {"socketmode": text},
            }
            error = self.assertRaises(ConfigurationError, read_config, given)
            self.assertIn("http.socketmode: expected an octal mode", str(error), text)


class TreeCase(SynchronousTestCase):
    """A storage directory in which something lies that nobody pushed."""

    def setUp(self) -> None:
        self.root = Path(self.mktemp()).absolute()
        self.outside = Path(self.mktemp()).absolute()
        self.outside.mkdir()
        (self.outside / "data").write_bytes(b"not ours")
        self.driver = FilesystemDriver(str(self.root), InlineDisk())
        self.repositories = self.root / layout.REPOSITORIES.removeprefix("/")
        for name in ("a", "a/b"):
            (self.repositories / name / "_manifests").mkdir(parents=True)

    def link(self, path: str, target: object) -> str:
        """Put a link into the tree; give the path that the driver has for it."""
        real = self.root / path.removeprefix("/")
        real.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(str(target), real)
        return path

    def gathered(self, found: AsyncIterator[T]) -> list[T]:
        async def gather() -> list[T]:
            return [item async for item in found]

        return self.successResultOf(ensureDeferred(gather()))

    def names(self) -> list[str]:
        return sorted(map(str, self.gathered(walk_repositories(self.driver))))

    def walked(self) -> list[str]:
        return [item.path for item in self.gathered(self.driver.walk("/"))]

    def assert_no_file(self, path: str) -> None:
        """Reading a path fails as if there were nothing."""
        for ask in (self.driver.get, self.driver.reader):
            self.failureResultOf(ask(path), PathNotFound)


class LoopTests(TreeCase):
    """Links that lead back to where they are."""

    def test_to_above(self) -> None:
        """Two links to directories above themselves do not make a walk endless."""
        for name in ("x", "y", "z"):
            self.link(f"{layout.REPOSITORIES}/a/{name}", self.repositories)
            self.link(f"{layout.REPOSITORIES}/a/b/{name}", "..")
        self.assertEqual(self.names(), ["a", "a/b"])
        self.assertLess(len(self.walked()), 20)
        listed = self.successResultOf(self.driver.list(f"{layout.REPOSITORIES}/a"))
        self.assertNotIn(f"{layout.REPOSITORIES}/a/x", listed)

    def test_by_way_of_another(self) -> None:
        """Neither do two that lead to one another's directories."""
        (self.repositories / "c" / "_manifests").mkdir(parents=True)
        self.link(f"{layout.REPOSITORIES}/a/to-c", self.repositories / "c")
        self.link(f"{layout.REPOSITORIES}/c/to-a", self.repositories / "a")
        self.assertEqual(
            self.names(), ["a", "a/b", "a/to-c", "c", "c/to-a", "c/to-a/b"]
        )

    def test_to_itself(self) -> None:
        """A link to itself cannot be read: it is told, and hides nothing else."""
        path = self.link(f"{layout.REPOSITORIES}/a/loop", "loop")
        for ask in (self.driver.get, self.driver.reader, self.driver.stat):
            self.failureResultOf(ask(path), DriverError)
        told: list[DriverError] = []
        found = self.gathered(walk_repositories(self.driver, told.append))
        self.assertEqual(sorted(map(str, found)), ["a", "a/b"])
        self.assertEqual([error.path for error in told], [path])

    def test_to_nothing(self) -> None:
        """A link to what is gone is nothing."""
        path = self.link(f"{layout.REPOSITORIES}/a/gone", self.outside / "gone")
        self.assert_no_file(path)
        self.assertEqual(self.names(), ["a", "a/b"])
        self.assertNotIn(path, self.walked())


class OutsideTests(TreeCase):
    """Links to what is not ours."""

    def assert_untouched(self) -> None:
        self.assertEqual((self.outside / "data").read_bytes(), b"not ours")

    def test_another_disk(self) -> None:
        """A part of the tree may lie elsewhere, where somebody linked it from."""
        moved = self.outside / "moved"
        (moved / "_manifests").mkdir(parents=True)
        self.link(f"{layout.REPOSITORIES}/elsewhere", moved)
        self.assertEqual(self.names(), ["a", "a/b", "elsewhere"])

    def test_delete(self) -> None:
        """Deleting a link to a directory deletes the link, and nothing behind it."""
        for durable in (True, False):
            path = self.link("/uploads/1", self.outside)
            self.successResultOf(self.driver.delete(path, durable))
            self.assertFalse(os.path.lexists(self.root / "uploads" / "1"))
            self.assert_untouched()

    def test_delete_above(self) -> None:
        """Neither does deleting a directory in which one lies."""
        self.link("/uploads/1/in", self.outside)
        self.successResultOf(self.driver.delete("/uploads"))
        self.assertFalse((self.root / "uploads").exists())
        self.assert_untouched()

    def test_remove_tree(self) -> None:
        """Nor does what becomes of an upload that is done."""
        for path in ("/uploads/1", "/uploads/2/in"):
            self.link(path, self.outside)
        self.successResultOf(
            self.driver.apply([RemoveTree("/uploads/1"), RemoveTree("/uploads/2")])
        )
        self.assertEqual(list((self.root / "uploads").iterdir()), [])
        self.assert_untouched()

    def test_with_journal(self) -> None:
        """Nor does any of it where there is a journal."""
        self.successResultOf(self.driver.open_journal("/txregistry/journal"))
        self.addCleanup(lambda: self.successResultOf(self.driver.close_journal()))
        self.test_delete()
        self.test_remove_tree()

    def test_put(self) -> None:
        """What is written replaces a link, and not what it leads to."""
        path = self.link("/a/link", self.outside / "data")
        self.successResultOf(self.driver.put(path, b"ours"))
        self.assertEqual(self.successResultOf(self.driver.get(path)), b"ours")
        self.assert_untouched()


class SpecialFileTests(TreeCase):
    """Files that never end, or that make whoever opens them wait."""

    def test_pipe(self) -> None:
        """A pipe in place of a file is nothing, and nobody waits for it."""
        os.mkfifo(self.root / "pipe")
        self.assert_no_file("/pipe")
        failure = self.failureResultOf(self.driver.writer("/pipe"))
        failure.trap(DriverError)

    def test_device(self) -> None:
        """A device without end is nothing."""
        self.assert_no_file(self.link("/zero", "/dev/zero"))

    def test_socket(self) -> None:
        """Nor is a socket anything."""
        with socket.socket(socket.AF_UNIX) as listening:
            where = tempfile.mkdtemp()
            self.addCleanup(shutil.rmtree, where)
            listening.bind(f"{where}/s")
            self.assert_no_file(self.link("/socket", f"{where}/s"))


def doubling(levels: int, form: str) -> str:
    """Write anchors, each of which stands for nine times the one before."""
    lines = ["version: 0.1\nstorage: inmemory\nx0: &x0 {a: 1}"]
    for level in range(1, levels):
        listed = ", ".join([f"*x{level - 1}"] * 9)
        lines.append(f"x{level}: &x{level} " + form.replace("...", listed))
    return "\n".join(lines)


class BombTests(SynchronousTestCase):
    """A small configuration that stands for much."""

    def refused(self, text: str, environment: dict[str, str] | None = None) -> str:
        """Give why a configuration is refused; what it took is bounded."""
        path = self.mktemp()
        Path(path).write_text(text)
        tracemalloc.start()
        try:
            error = self.assertRaises(ConfigurationError, load, path, environment or {})
            self.assertLess(tracemalloc.get_traced_memory()[1], 32 * 1024 * 1024)
        finally:
            tracemalloc.stop()
        (problem,) = error.problems
        return problem

    def test_aliases(self) -> None:
        """Aliases of aliases, as lists, values, or merged keys, are refused."""
        for form in ("[...]", "{k: [...]}", "{<<: [...]}", "{<<: [...], b: 2}"):
            problem = self.refused(doubling(40, form))
            self.assertIn("has more than 20000 values", problem, form)

    def test_alias_of_itself(self) -> None:
        """What contains itself is refused."""
        for text in ("&a [*a]", "&a {k: *a}", "&a {k: &b [*a, *b]}", "&a {<<: *a}"):
            problem = self.refused(f"version: 0.1\nstorage: inmemory\nx: {text}\n")
            self.assertIn("a value that contains it", problem, text)

    def test_depth(self) -> None:
        """What is nested deeply is refused, written out or by aliases."""
        for levels in (100, 400):
            self.assertIn("is not YAML", self.refused("x: " + "[" * levels))
        for levels in (70, 3000):
            lines = [
                "x0: &x0 1",
                *[f"x{n}: &x{n} [*x{n - 1}]" for n in range(1, levels)],
            ]
            self.assertIn("is not YAML", self.refused("\n".join(lines)))

    def test_long(self) -> None:
        """A long file is refused before it is parsed, and one without end as well."""
        self.assertIn("is longer than", self.refused("# " + "x" * 300_000))
        error = self.assertRaises(ConfigurationError, load, "/dev/zero", {})
        self.assertIn("is longer than 262144 characters", str(error))

    def test_long_numbers(self) -> None:
        """A number without end is text, which no number is expected to be."""
        for number in ("9" * 20_000, "1" + ":1" * 20_000, "0x" + "f" * 20_000):
            text = f"http: {{limits: {{connections: {number}}}}}"
            problem = self.refused(f"version: 0.1\nstorage: inmemory\n{text}")
            self.assertEqual(
                problem, "http.limits.connections: expected a whole number, found text"
            )

    def test_variables(self) -> None:
        """So is a variable, by its name."""
        bomb = doubling(12, "[...]").replace("\n", ", ").join("{}")
        problem = self.refused(
            "version: 0.1\nstorage: inmemory", {"REGISTRY_HTTP_HEADERS": bomb}
        )
        self.assertIn("REGISTRY_HTTP_HEADERS", problem)
        self.assertNotIn("x1", problem)

    def test_secret_without_end(self) -> None:
        """And a file that a variable names."""
        problem = self.refused(
            "version: 0.1\nstorage: inmemory",
            {"REGISTRY_HTTP_SECRET_FILE": "/dev/zero"},
        )
        self.assertIn("REGISTRY_HTTP_SECRET_FILE", problem)
        self.assertIn("is longer than", problem)

    def test_honest_anchors(self) -> None:
        """Anchors that spare people to write something twice are read."""
        path = self.mktemp()
        Path(path).write_text(
            "version: 0.1\nstorage: inmemory\n"
            "x: &times {timeout: 2s, backoff: 3s}\n"
            "notifications: {endpoints: ["
            "{name: a, url: 'http://a.example', <<: *times},"
            "{name: b, url: 'http://b.example', <<: *times}]}\n"
        )
        config, _ = load(path, {})
        found = [item.timeout for item in config.notifications.endpoints]
        self.assertEqual(found, [2.0, 2.0])


NAME = RepositoryName.parse("team/app")
DIGEST = Digest.of(b"content")


class LyingRedis:
    """Our client of redis, at one connection whose other end is the test."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.redis = Redis("endpoint", RedisSettings(answer_seconds=3.0), self.clock)
        self.reader = AnswerReader(convertNumbers=False)
        self.wire = StringTransportWithDisconnection()
        self.wire.protocol = self.reader
        self.wire.abortConnection = self.wire.loseConnection
        self.reader.makeConnection(self.wire)
        self.redis._factory = SimpleNamespace(size=1, handler=self.reader)
        self.shared = RedisDescriptors(self.redis, self.clock)

    def ask(self) -> list[object]:
        """Ask for a descriptor; the list gets what comes of it."""
        outcome: list[object] = []
        self.shared.find(NAME, DIGEST).addBoth(outcome.append)
        return outcome

    def say(self, *parts: bytes) -> None:
        """Let redis say something, as long as it is listened to."""
        for part in parts:
            if self.wire.connected:
                self.reader.dataReceived(part)


def bulk(*values: bytes) -> bytes:
    """Write a list as redis does."""
    items = b"".join(b"$%d\r\n%s\r\n" % (len(value), value) for value in values)
    return b"*%d\r\n%s" % (len(values), items)


#: What a redis that is none, or lies, may say.
PIECES = (
    b"\r\n",
    b"*",
    b"$",
    b":",
    b"+",
    b"-",
    b"1",
    b"-1",
    b"3",
    b"$9999999",
    b"\xff",
)
ANSWERS = (
    b"*2",
    b"*3",
    b":1",
    b"$-7",
    b"+OK",
    b"-ERR x",
    b"$1\r\na",
    b"*-5",
    b"+QUEUED",
)
SAYINGS = st.lists(
    st.sampled_from(PIECES)
    | st.sampled_from(ANSWERS).map(lambda answer: answer + b"\r\n")
    | st.binary(max_size=8)
)


class RedisTests(SynchronousTestCase):
    """What redis says may be anything."""

    def setUp(self) -> None:
        # What is gone on with after a long answer is so in the next turn.
        self.turns = Clock()
        self.patch(AnswerReader, "callLater", self.turns.callLater)
        self.lying = LyingRedis()

    def take_turns(self) -> None:
        for _ in range(20):
            self.turns.advance(0)

    def descriptor(self, *answers: bytes) -> object:
        """Ask, and give what comes of the answers."""
        outcome = self.lying.ask()
        for answer in answers:
            self.lying.say(answer)
            self.take_turns()
        (found,) = outcome
        return found

    def assert_away(self, outcome: list[object]) -> None:
        (found,) = outcome
        self.assertIsInstance(found, Failure)
        self.assertEqual(found.type, RedisAway, found)
        self.assertFalse(self.lying.wire.connected)

    def test_honest(self) -> None:
        """What belongs together is believed."""
        fields = bulk(str(DIGEST).encode(), b"7", b"text/plain")
        found = self.descriptor(b":1\r\n", fields, bulk(b"text/plain"))
        self.assertEqual(found, Descriptor(DIGEST, 7, "text/plain"))

    def test_wrong_types(self) -> None:
        """Numbers, texts, nothing and lists of other lengths are no descriptor."""
        odd = (b":1\r\n", b"+OK\r\n", b"$-1\r\n", b"*0\r\n", b"*-1\r\n", bulk(b"x"))
        odd += (bulk(*b"abcd".split()), b"*3\r\n:1\r\n-ERR\r\n*1\r\n:1\r\n")
        odd += (bulk(str(DIGEST).encode(), b"9" * 5000, b"x"),)
        for answer in odd:
            for answers in (
                (b":1\r\n", answer, bulk(b"x")),
                (b":1\r\n", bulk(b"a", b"b", b"c"), answer),
                (answer, answer, answer),
            ):
                self.lying = LyingRedis()
                found = self.descriptor(*answers)
                self.assertIsNone(found, answers)

    def test_long_answers(self) -> None:
        """An answer without end ends its connection; little of it is kept."""
        piece = b"x" * 16000
        for begin, more in (
            (b"$99999999999\r\n", piece),
            (b"*99999999\r\n", b":1\r\n" * 3000),
            (b"+", piece),
            (b"", b"\r\n" * 8000),
            (b"*99999999\r\n", b"*1\r\n" * 3000),
            (b"$-7\r\n", piece),
        ):
            self.lying = LyingRedis()
            outcome = self.lying.ask()
            self.lying.say(begin)
            sent = 0
            while self.lying.wire.connected and sent < 100 * MAX_ANSWER_BYTES:
                self.lying.say(more)
                self.take_turns()
                sent += len(more)
            self.assertLessEqual(sent, 2 * MAX_ANSWER_BYTES, begin)
            self.assert_away(outcome)

    def test_unasked(self) -> None:
        """What nobody asked for is not kept as the answer to a later question."""
        self.lying.say(b":1\r\n")
        self.assertFalse(self.lying.wire.connected)
        self.assert_away(self.lying.ask())

    def test_unreadable(self) -> None:
        """What its library cannot read is no error of ours: redis is away."""
        outcome = self.lying.ask()
        self.lying.say(b"+\xff\xfe\r\n")
        self.assert_away(outcome)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_left_alone(self) -> None:
        """After that it is not asked for a while, and the log says once why."""
        with capturedLogs() as events:
            outcome = self.lying.ask()
            self.lying.say(b"+\xff\r\n" * 1000)
            self.assert_away(outcome)
            self.lying.ask()
        refused = [event for event in events if "invalid answer" in event["log_format"]]
        self.assertEqual(len(refused), 1)

    @settings(max_examples=200, deadline=None)
    @given(SAYINGS, SAYINGS)
    def test_anything(self, first: list[bytes], second: list[bytes]) -> None:
        """Whatever comes, in whatever pieces, is a descriptor, nothing or away."""
        self.lying = LyingRedis()
        outcome = self.lying.ask()
        self.lying.say(*first, b"".join(second))
        self.take_turns()
        self.lying.clock.advance(3.0)
        (found,) = outcome
        if isinstance(found, Failure):
            self.assertEqual(found.type, RedisAway, found)
        self.assertEqual(self.flushLoggedErrors(), [])
