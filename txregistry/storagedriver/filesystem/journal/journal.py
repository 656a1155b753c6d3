"""Changes written down before they are made; blocking, for a thread.

Note [Written down first]. To make a small change durable by itself takes a sync of each
new file and of each directory that got an entry: seven for one blob. Instead a change
is written to a journal that is written over and over, which takes one sync, and then
made without any. After a few seconds, or some megabytes, the file systems are told to
write all they have (``syncfs``), and what the journal says does not count any more.

A process that dies loses nothing: the kernel has the changes, whole. After a power
failure some files are missing, empty or old; then the journal says what they should be.
Whether the kernel has started since is told by the identity of its run. What another
registry did to the directory meanwhile is not undone: see Note [What came later].

There are two files, of which the older is settled before they change places: so what
counts is always the newest part of all that was written, and each file is in one piece.

Where a sync fails, the kernel takes what it could not write for written, and the next
sync would say that all is well. From then on the journal is in doubt: nothing in it
ends before all that it says has been put again, by us or at the next start.

Changes that move data, or that are large, are made durable by themselves as
:func:`~txregistry.storagedriver.filesystem.atomic.apply_changes` does; what the journal
had said of their paths is settled before. The same goes for file systems that cannot
be waited for (:mod:`txregistry.storagedriver.filesystem.syncfs`).
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

#: Steps, and trees that are removed without being written down.
Work = Sequence[Step | RemoveTree]

#: The two files of a journal.
_NAMES = ("0", "1")

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


def boot_id() -> str:
    """Name this run of the kernel; empty where it does not say."""
    try:
        return Path(_BOOT_ID).read_text("ascii").strip()
    except OSError:
        return ""


class NoRoom(Exception):
    """The file system is so full that there is no journal, nor can one be begun."""


@attrs.define(eq=False)
class Journal:
    """What is to be made good after a power failure.

    Its methods may run beside one another on several threads. Those that take both
    locks take ``_writing`` first.

    :param root: the real directory under which the paths of all steps are.
    :param directory: where the journal lies, as a path under the root.
    :param boot: see :func:`boot_id`.
    :param now: the time that files get when they are changed.
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
        """Make good what a power failure undid, and be ready for changes.

        :return: how many files were made good.
        :raise OSError: something cannot be read or written.
        :raise JournalUnreadable: another version wrote it.
        :raise NoRoom: nothing had to be made good, and there is nothing to write to.
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
        """Write down some changes together, then make each.

        Where they cannot be written down, each is made durable by itself.

        :return: what became of each: nothing, or why it could not be made. What could
            not be made may be made after a power failure, until it is settled.
        :raise OSError: none was made.
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
        """See to it that nothing is said of paths: they are about to change.

        :raise OSError: what was said cannot be settled.
        """
        with self._writing:
            spoken = (item.speaks_of(path) for path in paths for item in self._segments)
            if any(spoken):
                self._settle_all()

    @property
    def is_behind(self) -> bool:
        """Tell whether there is something that :meth:`settle` can do."""
        return self._older.counts and not self._doubtful

    def turn(self) -> None:
        """Go on in the other file, so that this one can be settled.

        :raise OSError: something could not be written, now or before.
        """
        with self._writing:
            self._turn()

    def settle(self) -> None:
        """Make safe what the older file says.

        :raise OSError: something could not be written; all counts still, and is put
            again by the next :meth:`turn`.
        """
        with self._settling:
            if not self._older.counts:
                return
            if self._doubtful:
                raise OSError(errno.EIO, "changes could not be written")
            self._sync()
            self._older.end()

    def close(self) -> None:
        """Settle all, and leave no journal behind; fails as :meth:`settle` does.

        What is asked for afterwards is made durable by itself.
        """
        with self._writing:
            self._settle_all()
            for segment in self._segments:
                os.unlink(segment.path)
            os.rmdir(self._root + self._directory)
            self.abandon()

    def abandon(self) -> None:
        """Close all files, and leave the journal to whoever comes next."""
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
        """Let the kernel have all that the journal says once more.

        What is not there any more was taken away since, in other ways than this.
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
        # If one is to be made good, so is all that was written after it.
        is_lost = any(item.boot != (self._boot or None) for item in counting)
        mended = self._make_good(counting) if is_lost else 0
        try:
            # Also what was made by whoever died before it could wait.
            self._systems.sync()
        except OSError:
            _disown(counting)
            raise
        for segment in self._segments:
            # Also one that seems to have ended: that may have failed to be written.
            segment.end()
        return mended

    def _make_good(self, segments: Sequence[Segment]) -> int:
        told = [segment.read() for segment in segments]
        if any(item.is_damaged for item in told):
            self._log.error("a part of the journal cannot be read: something is lost")
        until = max(item.until for item in told)
        outcome = fold(chain.from_iterable(item.steps for item in told))
        found = plan(outcome, self._root, until, any(not it.boot for it in segments))
        if found.left:
            self._log.warn(
                "{count} files have changed since the journal was written: they stay",
                count=found.left,
            )
        # Whoever begins anew, after this was broken off, finds our own changes.
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
    """Let the next start put again what could not be written."""
    for segment in segments:
        if segment.counts:
            with suppress(OSError):  # the first failure is told
                segment.invalidate()


def _attempt(work: Callable[[T], None], argument: T) -> OSError | None:
    try:
        work(argument)
    except OSError as error:
        return error
    return None
