"""Changes recorded before they are made; blocking, for a thread.

Note [Written down first]. A small change that is made durable by itself needs a sync of
each new file and of each directory with a new entry: seven for one blob. Instead a
change is appended to a journal of fixed size, with one sync, and then made without any.
After a few seconds, or some megabytes, the file systems write all they have
(``syncfs``), and the journal's records are void.

A process that dies loses nothing: the kernel has the changes, whole. After a power
failure some files are missing, empty or old, and are restored from the journal. The
boot id shows whether the kernel has restarted since. What another registry did to the
directory meanwhile is not undone: see Note [What came later].

There are two files, and the older is settled before they change places: so the valid
records are always the newest part of all that was written, and each file is contiguous.

When a sync fails, the kernel takes the unwritten data for written, and the next sync
would succeed. From then on the journal is in doubt: no record becomes void before all
of them have been replayed, by this process or at the next start.

Changes that move data, or that are large, are made durable by themselves as
:func:`~txregistry.storagedriver.filesystem.atomic.apply_changes` does; earlier records
of their paths are settled first. The same holds for file systems whose ``syncfs`` is
not reliable (:mod:`txregistry.storagedriver.filesystem.syncfs`).
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TypeVar

import attrs
from twisted.logger import Logger

from txregistry.interfaces.driver import PutFile, RemoveTree
from txregistry.storagedriver.filesystem.atomic import (
    apply_changes,
    delete,
    located,
    put_quickly,
    remove_tree,
    sync_directory,
)
from txregistry.storagedriver.filesystem.journal.records import Delete, Step, fold
from txregistry.storagedriver.filesystem.journal.segment import NO_ROOM, Segment
from txregistry.storagedriver.filesystem.recovery import carry_out, plan
from txregistry.storagedriver.filesystem.syncfs import FileSystems, NotCovered

T = TypeVar("T")

#: Steps, and trees that are removed without a record.
Work = Sequence[Step | RemoveTree]

#: The two files of a journal.
_NAMES = ("0", "1")

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


def boot_id() -> str:
    """Give the boot id of the kernel; empty where it has none."""
    try:
        return Path(_BOOT_ID).read_text("ascii").strip()
    except OSError:
        return ""


class NoRoom(Exception):
    """The file system is too full: there is no journal, and none can be begun."""


@attrs.define(eq=False)
class Journal:
    """A record of changes that are repaired after a power failure.

    Its methods may run concurrently on several threads. Those that take both locks take
    ``_writing`` first.

    :param root: the real directory under which the paths of all steps are.
    :param directory: where the journal lies, as a path under the root.
    :param boot: see :func:`boot_id`.
    :param now: gives the time that changed files get.
    """

    _root: str
    _directory: str
    _boot: str
    _now: Callable[[], float] = time.time
    _systems: FileSystems = attrs.field(factory=FileSystems)
    _active: Segment = attrs.field(init=False)
    _older: Segment = attrs.field(init=False)
    _doubtful: bool = False
    _writing: threading.Lock = attrs.field(factory=threading.Lock)
    _settling: threading.Lock = attrs.field(factory=threading.Lock)
    _log = Logger()

    def open(self) -> int:
        """Repair what a power failure undid, and get ready for changes.

        :return: how many files were repaired.
        :raise OSError: a file cannot be read or written.
        :raise JournalUnreadable: another version wrote it.
        :raise NoRoom: nothing had to be repaired, and there is no room for a journal.
        """
        directory = self._root + self._directory
        _make(directory)
        self._active, self._older = (Segment(f"{directory}/{name}") for name in _NAMES)
        try:
            self._systems.cover(directory)
            for segment in self._segments:
                segment.open()
            mended = self._recover()
            for path in (directory, os.path.dirname(directory), self._root):
                sync_directory(path)
        except BaseException:
            self.abandon()
            raise
        return mended

    def commit(self, batch: Sequence[Work]) -> list[OSError | None]:
        """Record some changes together, then make each.

        Where they cannot be recorded, each is made durable by itself.

        :return: for each change ``None`` or its error. Until it is settled, a failed
            change may still be made after a power failure.
        :raise OSError: no change was made.
        """
        with self._writing:
            try:
                self._append(
                    [step for work in batch for step in work if isinstance(step, Step)]
                )
            except OSError:
                self._settle_all()
                return [_attempt(self._make_durable, work) for work in batch]
            return [_attempt(self._make, work) for work in batch]

    def forget(self, paths: Iterable[str]) -> None:
        """Void all records of some paths, which are about to change.

        :raise OSError: the records cannot be settled.
        """
        with self._writing:
            spoken = (item.speaks_of(path) for path in paths for item in self._segments)
            if any(spoken):
                self._settle_all()

    @property
    def is_behind(self) -> bool:
        """Tell whether :meth:`settle` has anything to do."""
        return self._older.counts and not self._doubtful

    def turn(self) -> None:
        """Switch to the other file, so that this one can be settled.

        :raise OSError: a write failed, now or earlier.
        """
        with self._writing:
            self._turn()

    def settle(self) -> None:
        """Make durable what the older file holds.

        :raise OSError: a write failed; all records stay valid, and the next
            :meth:`turn` replays them.
        """
        with self._settling:
            if not self._older.counts:
                return
            if self._doubtful:
                raise OSError(errno.EIO, "changes could not be written")
            self._sync()
            self._older.end()

    def close(self) -> None:
        """Settle all, and remove the journal; fails as :meth:`settle` does.

        Later changes are made durable by themselves.
        """
        with self._writing:
            self._settle_all()
            for segment in self._segments:
                os.unlink(segment.path)
            os.rmdir(self._root + self._directory)
            self.abandon()

    def abandon(self) -> None:
        """Close all files, and leave the journal to the next process."""
        for segment in self._segments:
            segment.close()
        self._systems.close()

    @property
    def _segments(self) -> Sequence[Segment]:
        return sorted((self._active, self._older), key=lambda segment: segment.epoch)

    def _turn(self) -> None:
        if self._doubtful:
            self._put_again()
        elif self._active.counts:
            self.settle()
            self._active, self._older = self._older, self._active

    def _settle_all(self) -> None:
        self._turn()
        self.settle()

    def _sync(self) -> None:
        try:
            self._systems.sync()
        except OSError:
            self._doubtful = True
            _disown(self._segments)
            raise

    def _put_again(self) -> None:
        """Write all that the journal holds to the kernel once more.

        A missing file was removed since, by other means, and is skipped.
        """
        with self._settling:
            counting = [segment for segment in self._segments if segment.counts]
            steps = chain.from_iterable(segment.read().steps for segment in counting)
            for path, content in fold(steps).files.items():
                if os.path.lexists(self._root + path):
                    put_quickly(self._root + path, content)
            self._systems.sync()
            for segment in counting:
                segment.end()
            self._doubtful = False

    def _append(self, steps: Sequence[Step]) -> None:
        if not steps:
            return
        if self._active.is_full:
            self._turn()
        if not self._active.counts:
            newest = max(self._active.epoch, self._older.epoch)
            self._active.begin(newest + 1, self._boot)
        self._active.append(steps, self._now())

    def _make(self, steps: Work) -> None:
        for step in steps:
            path = self._root + step.path
            if isinstance(step, RemoveTree):
                remove_tree(path)
            elif isinstance(step, PutFile):
                self._put(path, step)
            elif self._systems.cover(path):
                delete(path, durable=False)
            else:
                self._make_durable([step])

    def _put(self, path: str, step: PutFile) -> None:
        try:
            put_quickly(path, step.content, self._systems.check)
        except NotCovered:
            self._make_durable([step])

    def _make_durable(self, work: Work) -> None:
        for step in work:
            if isinstance(step, Delete):
                delete(self._root + step.path, durable=True)
            else:
                apply_changes([located(step, self._root)], self._root)

    def _recover(self) -> int:
        counting = [segment for segment in self._segments if segment.counts]
        # If one segment is replayed, so are all that were written after it.
        is_lost = any(item.boot != (self._boot or None) for item in counting)
        mended = self._make_good(counting) if is_lost else 0
        try:
            # Includes changes of a process that died before it could sync.
            self._systems.sync()
        except OSError:
            _disown(counting)
            raise
        for segment in self._segments:
            # Also a void segment: marking it as void may have failed.
            segment.end()
        return mended

    def _make_good(self, segments: Sequence[Segment]) -> int:
        told = [segment.read() for segment in segments]
        if any(item.is_damaged for item in told):
            self._log.error("a part of the journal cannot be read: changes are lost")
        until = max(item.until for item in told)
        outcome = fold(chain.from_iterable(item.steps for item in told))
        found = plan(outcome, self._root, until, any(not it.boot for it in segments))
        if found.left:
            self._log.warn(
                "{count} files have changed since the journal was written and are kept",
                count=found.left,
            )
        # A start that repeats this after an interruption finds our own changes.
        segments[-1].append([], max(until, self._now()))
        carry_out(found)
        return found.mended


def _make(directory: str) -> None:
    try:
        os.makedirs(directory, exist_ok=True)
    except OSError as error:
        if error.errno in NO_ROOM:
            raise NoRoom(directory) from error
        raise


def _disown(segments: Sequence[Segment]) -> None:
    """Let the next start replay what could not be written."""
    for segment in segments:
        if segment.counts:
            with suppress(OSError):  # the first failure is reported
                segment.invalidate()


def _attempt(work: Callable[[T], None], argument: T) -> OSError | None:
    try:
        work(argument)
    except OSError as error:
        return error
    return None
