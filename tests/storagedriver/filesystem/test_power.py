"""Any history, any loss: what was acknowledged outlives a power failure, whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.tries import tries
from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.driver import DriverError, MoveFile
from txregistry.storagedriver.filesystem import atomic, group_commit, recovery
from txregistry.storagedriver.filesystem.driver import FilesystemDriver
from txregistry.storagedriver.filesystem.journal import journal, segment
from txregistry.storagedriver.filesystem.syncfs import FileSystems

DIRECTORY = "/own/journal"
PATHS = ("/a", "/b/c", "/b/d", "/b/e/f")

#: What is longer is made durable by itself.
SMALL = 10
CONTENTS = st.tuples(st.sampled_from((1, SMALL + 2)), st.integers(97, 122)).map(
    lambda drawn: bytes([drawn[1]]) * drawn[0]
)
NOTHING = st.just(b"")


class Disk:
    """What a disk may have of files, beside what the kernel says they are.

    :ivar states: of each path, all that it may be after a power failure.
    :ivar written: what is safe of the files of the journal.
    :ivar stuck: paths that the kernel believes to have written, and has not.
    :ivar sync_fails: the next sync of the file system does.
    :ivar record_fails: the next sync of the journal does.
    """

    def __init__(self, root: str) -> None:
        self.root = os.path.abspath(root)
        self.states: dict[str, list[bytes | None]] = {path: [None] for path in PATHS}
        self.written: dict[str, bytes] = {}
        self.stuck: set[str] = set()
        self.sync_fails = self.record_fails = False

    def put_quickly(
        self, path: str, content: bytes, look: atomic.Look | None = None
    ) -> None:
        """Let the kernel have a file; the disk may get it or not."""
        atomic.put_quickly(path, content, look)
        self.stuck.discard(self.name(path))
        self.look()

    def delete(self, path: str, durable: bool) -> None:
        """Let the kernel delete."""
        atomic.delete(path, durable)
        self.stuck -= set(self.below(self.name(path)))
        self.look()
        if durable:
            for known in self.below(self.name(path)):
                self.stuck.discard(known)
                self.settle(known)

    def apply_changes(self, made: list, root: str | None = None) -> None:
        """Make changes that are safe when this returns."""
        atomic.apply_changes(made, root)
        self.look()
        for change in made:
            place = change.destination if isinstance(change, MoveFile) else change.path
            self.stuck.discard(self.name(place))
            self.settle(self.name(place))

    def carry_out(self, found: recovery.RecoveryPlan) -> None:
        """Let the kernel have all that is made good."""
        recovery.carry_out(found)
        self.stuck -= {self.name(path) for path in found.files}
        self.look()

    def sync(self) -> None:
        """Make all safe that the kernel knows not to be; or fail once."""
        if self.sync_fails:
            self.sync_fails = False
            # Names are tried again; of contents the kernel believes that all is well.
            changed = [path for path in PATHS if len(self.states[path]) > 1]
            self.stuck |= {
                path for path in changed if self.states[path][-1] is not None
            }
            raise OSError(5, "the disk does not take it")
        for path in PATHS:
            if path not in self.stuck:
                self.settle(path)

    def sync_record(self, descriptor: int) -> None:
        """Make a file of the journal safe; or fail once."""
        if self.record_fails:
            self.record_fails = False
            raise OSError(5, "the disk does not take it")
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        self.written[path] = Path(path).read_bytes()

    def look(self) -> None:
        """See what the kernel says now."""
        for path, found in self.states.items():
            now = self.content(path)
            if found[-1] != now:
                found.append(now)

    def settle(self, path: str) -> None:
        """Let the disk have what the kernel says of a path, and nothing else."""
        if path in self.states:
            self.states[path] = [self.content(path)]

    def lose_power(self, choose: Callable[[list], bytes | None]) -> None:
        """Leave of each file what the disk has, or nothing in it."""
        for path, found in self.states.items():
            torn = [b""] if len(found) > 1 else []
            self.leave(self.root + path, choose([*found, *torn]))
        self.stuck.clear()
        for path in PATHS:
            self.settle(path)
        for name in "01":
            path = f"{self.root}{DIRECTORY}/{name}"
            if os.path.exists(path):
                now = Path(path).read_bytes()
                self.leave(path, choose([self.written.get(path, b""), now]))

    def leave(self, path: str, content: bytes | None) -> None:
        """Let a file be something, or not be."""
        real = Path(path)
        if content is not None:
            real.parent.mkdir(parents=True, exist_ok=True)
            real.write_bytes(content)
        elif real.exists():
            real.unlink()

    def content(self, path: str) -> bytes | None:
        """Give what the kernel says of a path."""
        try:
            return Path(self.root + path).read_bytes()
        except OSError:
            return None

    def name(self, path: str) -> str:
        """Give a path of the driver."""
        return os.path.abspath(path)[len(self.root) :]

    def below(self, path: str) -> list[str]:
        """Give the paths at and below one."""
        return [known for known in PATHS if f"{known}/".startswith(f"{path}/")]


def _steps(*kinds: str, paths: tuple[str, ...] = ("",), contents=NOTHING):
    return st.tuples(st.sampled_from(kinds), st.sampled_from(paths), contents)


#: What matters takes several turns of the journal between changes of one path.
STEPS = st.one_of(
    _steps("put", "put", "move", paths=PATHS, contents=CONTENTS),
    _steps("put", paths=("/a",), contents=CONTENTS),
    _steps("delete", paths=(*PATHS, "/b", "/b/e")),
    _steps("turn"),
    _steps("turn", "checkpoint", "crash", "lose power"),
    _steps("fail to sync", "fail to record"),
)


ONE, TWO, THREE, LARGE = b"1", b"2", b"3", b"L" * (SMALL + 2)

#: Histories in which something was once lost, or would be.
HISTORIES = (
    # The older file has the newer name.
    ("put 1", "turn", "put 2", "turn", "put 3"),
    # What was deleted after a sync had failed came back.
    ("put 1", "fail to sync", "put L", "delete", "crash"),
    # A head that said that nothing counts was not written.
    ("put 1", "fail to record", "crash", "put L"),
    ("put 1", "fail to record", "checkpoint", "put 2", "checkpoint", "checkpoint"),
    # The kernel believes to have written what it has not.
    ("put 1", "fail to sync", "checkpoint", "checkpoint"),
    ("put 1", "fail to sync", "checkpoint", "crash"),
    ("put 1", "fail to sync", "crash"),
    ("put 1", "fail to sync", "turn", "turn", "put 2", "turn", "turn"),
    # A record that was not written.
    ("put 1", "fail to record", "put 2"),
    ("put 1", "fail to record", "delete"),
    ("put 1", "fail to sync", "fail to record", "delete"),
    ("put 1", "checkpoint", "fail to record", "fail to sync", "put 2", "put 3"),
)


class PowerFailureTests(SynchronousTestCase):
    """A model of what a disk may have, and of what clients were told."""

    def test_histories(self) -> None:
        """Those that were found once, with as little left as can be, and with all."""
        for history in HISTORIES:
            for position in (0, -1):
                self.begin(lambda found, at=position: found[at])
                self.live([self.step(words) for words in history])

    def step(self, words: str) -> tuple[str, str, bytes]:
        contents = {"1": ONE, "2": TWO, "3": THREE, "L": LARGE}
        if words.startswith("put "):
            return "put", "/a", contents[words[-1]]
        return words, "/a", b""

    def begin(self, choose: Callable[[list], bytes | None]) -> None:
        """Have a machine with nothing on it."""
        self.root = self.mktemp()
        self.boots = 0
        self.driver: FilesystemDriver | None = None
        self.history: list = []
        self.choose = choose
        self.disk = Disk(self.root)
        self.patch(group_commit, "JOURNALED_BYTES", SMALL)
        self.patch(segment, "SEGMENT_BYTES", 700)
        self.patch(group_commit, "apply_changes", self.disk.apply_changes)
        for name in ("put_quickly", "delete", "apply_changes", "carry_out"):
            self.patch(journal, name, getattr(self.disk, name))
        self.patch(os, "fdatasync", self.disk.sync_record)
        # A disk without threads would settle the older file at once.
        self.patch(journal.Journal, "is_behind", False)
        self.patch(FileSystems, "sync", lambda _: self.disk.sync())
        #: What each path may be, as far as clients know.
        self.told: dict[str, set[bytes | None]] = {path: {None} for path in PATHS}
        self.start()

    def start(self) -> None:
        """Start, and again if the disk fails."""
        self.abandon()
        for _ in range(3):
            self.driver = FilesystemDriver(
                self.root, InlineDisk(), boot_id=lambda: f"run {self.boots}"
            )
            if self.is_done(self.driver.open_journal(DIRECTORY)):
                return
        raise AssertionError("it does not start")

    def abandon(self) -> None:
        """Let a process die: the kernel closes its files."""
        driver, self.driver = self.driver, None
        if driver is not None:
            driver._commits._journal.abandon()

    def is_done(self, done: Deferred) -> bool:
        """Tell whether something was done, or refused by the driver."""
        results: list = []
        done.addBoth(results.append)
        failed = getattr(results[0], "value", None)
        self.assertIsInstance(failed, DriverError | None)
        return failed is None

    def stage(self, number: int, content: bytes) -> str:
        path = f"/up/{number}"
        writer = self.successResultOf(self.driver.writer(path))
        writer.write(content)
        self.successResultOf(writer.close())
        return path

    def put(self, path: str, content: bytes) -> None:
        self.tell([path], content, self.driver.put(path, content))

    def move(self, path: str, content: bytes, number: int) -> None:
        move = MoveFile(self.stage(number, content), path, sync=True)
        self.tell([path], content, self.driver.apply([move]))

    def tell(self, paths: list[str], content: bytes | None, done: Deferred) -> None:
        """Tell a client: what failed may have been done, or be done yet."""
        is_done = self.is_done(done)
        for path in paths:
            before = set() if is_done else self.told[path]
            self.told[path] = before | {content}

    def delete(self, path: str) -> None:
        if os.path.exists(self.root + path):
            self.tell(self.disk.below(path), None, self.driver.delete(path))

    def take(self, number: int, kind: str, path: str, content: bytes) -> None:
        """Take one step."""
        if kind == "put":
            self.put(path, content)
        elif kind == "move":
            self.move(path, content, number)
        elif kind == "delete":
            self.delete(path)
        elif kind == "checkpoint":
            self.is_done(self.driver.checkpoint())
        elif kind == "turn":
            try:
                self.driver._commits._journal.turn()
            except OSError:
                self.assertFalse(self.disk.sync_fails and self.disk.record_fails)
        elif kind == "crash":
            self.start()
        elif kind == "lose power":
            self.lose_power()
        else:
            self.disk.sync_fails |= kind == "fail to sync"
            self.disk.record_fails |= kind == "fail to record"

    def lose_power(self) -> None:
        """Start on what is left, and compare."""
        self.disk.lose_power(self.choose)
        self.boots += 1
        self.start()
        for path in PATHS:
            self.compare(path)
            self.told[path] = {self.disk.content(path)}

    def compare(self, path: str) -> None:
        """See that a path is what clients were told."""
        found, told = self.disk.content(path), self.told[path]
        self.assertIn(found, told, (path, found, told, self.history))

    @settings(max_examples=tries(80), deadline=None)
    @given(st.lists(STEPS, min_size=6, max_size=25), st.data())
    def test_any(self, steps: list[tuple[str, str, bytes]], data) -> None:
        """Whatever was done, and whatever is lost."""
        self.begin(lambda found: data.draw(st.sampled_from(found)))
        self.live(steps)

    def live(self, steps: list[tuple[str, str, bytes]]) -> None:
        """Take all steps, and lose the power in the end."""
        for number, (kind, path, content) in enumerate(steps):
            self.take(number, kind, path, content)
            self.history.append((kind, path, content))
            for known in PATHS:
                self.compare(known)
        self.lose_power()
        self.abandon()
        self.flushLoggedErrors(OSError)
