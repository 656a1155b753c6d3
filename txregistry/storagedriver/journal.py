"""Changes written down before they are made; blocking, for a thread.

Note [Written down first]. To make a small change durable by itself takes a sync of each
new file and of each directory that got an entry: seven for one blob. Instead a change
is written to a journal that is written over and over, which takes one sync, and then
made without any. After a few seconds, or some megabytes, the file system is told to
write all it has (``syncfs``), and what the journal says does not count any more.

A process that dies loses nothing: the kernel has the changes, whole. After a power
failure some files are missing, empty or old; then the journal says what they should be.
Whether the kernel has started since is told by the identity of its run, so that what
another registry did to the directory after a mere crash of ours is not undone.

There are two files. While the one that is full is waited for, the other takes what
comes; so what counts is always the newest part of all that was written.

Changes that move data, or that are large, are made durable by themselves as
:func:`txregistry.storagedriver.changes.apply_changes` does, and the journal is told
that what it had said of their paths is settled.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import TypeVar

import attrs

from txregistry.interfaces.driver import PutFile, RemoveTree
from txregistry.storagedriver.changes import (
    apply_changes,
    delete,
    located,
    put_quickly,
    remove_tree,
    sync_directory,
)
from txregistry.storagedriver.records import Delete, Settled, Step, last_words
from txregistry.storagedriver.recovery import make_good
from txregistry.storagedriver.segment import Segment

T = TypeVar("T")

#: Steps, and trees that are removed without being written down.
Work = Sequence[Step | RemoveTree]

#: The two files of a journal.
_NAMES = ("0", "1")

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


def sync_filesystem(path: str) -> None:
    """Wait until all that was written to the file system of a path is safe.

    :raise OSError: something could not be written.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.syncfs(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
    finally:
        os.close(descriptor)


def boot_id() -> str:
    """Name this run of the kernel; empty where it does not say."""
    try:
        return Path(_BOOT_ID).read_text("ascii").strip()
    except OSError:
        return ""


@attrs.define(eq=False)
class Journal:
    """What is to be made good after a power failure.

    Its methods may run beside one another on several threads.

    :param root: the real directory under which the paths of all steps are.
    :param directory: where the journal lies, as a path under the root.
    :param boot: see :func:`boot_id`.
    :param sync: waits for all of the file system.
    """

    _root: str
    _directory: str
    _boot: str
    _sync: Callable[[str], None] = sync_filesystem
    _active: Segment = attrs.field(init=False)
    _other: Segment = attrs.field(init=False)
    _writing: threading.Lock = attrs.field(factory=threading.Lock)
    _settling: threading.Lock = attrs.field(factory=threading.Lock)

    def open(self) -> int:
        """Make good what a power failure undid, and be ready for changes.

        :return: how many files were made good.
        :raise OSError: something cannot be read or written.
        :raise JournalUnreadable: another version wrote it.
        """
        directory = self._root + self._directory
        os.makedirs(directory, exist_ok=True)
        self._active, self._other = (Segment(f"{directory}/{name}") for name in _NAMES)
        for segment in self._segments:
            segment.open()
        mended = self._recover()
        for path in (directory, os.path.dirname(directory), self._root):
            sync_directory(path)
        return mended

    def commit(self, batch: Sequence[Work]) -> list[OSError | None]:
        """Write down some changes together, then make each.

        Where there is no room to write them down, each is made durable by itself.

        :return: what became of each: nothing, or why it could not be made.
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
            outcomes = [_attempt(self._make, work) for work in batch]
            if any(outcomes):
                # What failed is not to be made later; if this fails too, it may be.
                _attempt(Journal._settle_all, self)
            return outcomes

    @property
    def is_behind(self) -> bool:
        """Tell whether there is something for :meth:`settle` to do."""
        return self._other.counts

    def turn(self) -> None:
        """Go on in the other file, so that this one can be settled."""
        with self._writing:
            self._turn()

    def settle(self) -> None:
        """Make safe what the file says that is not written to.

        :raise OSError: the file system could not write everything; it counts still.
        """
        with self._settling:
            segment = self._other
            if segment.counts:
                self._sync(self._root)
                segment.end()

    def close(self) -> None:
        """Settle all, and leave no journal behind; fails as :meth:`settle` does."""
        self._settle_all()
        for segment in self._segments:
            segment.close()
            os.unlink(segment.path)
        os.rmdir(self._root + self._directory)

    @property
    def _segments(self) -> Sequence[Segment]:
        return sorted((self._active, self._other), key=lambda segment: segment.epoch)

    def _turn(self) -> None:
        if self._active.counts:
            self.settle()
            self._active, self._other = self._other, self._active

    def _settle_all(self) -> None:
        self._turn()
        self.settle()

    def _append(self, steps: Sequence[Step]) -> None:
        if not steps:
            return
        if self._active.is_full:
            self._turn()
        if not self._active.counts:
            newest = max(self._active.epoch, self._other.epoch)
            self._active.begin(newest + 1, self._boot)
        self._active.append(steps)

    def _make(self, steps: Work) -> None:
        for step in steps:
            path = self._root + step.path
            if isinstance(step, PutFile):
                put_quickly(path, step.content)
            elif isinstance(step, Delete):
                delete(path, durable=False)
            elif isinstance(step, RemoveTree):
                remove_tree(path)

    def _make_durable(self, work: Work) -> None:
        for step in work:
            if isinstance(step, Delete):
                delete(self._root + step.path, durable=True)
            elif not isinstance(step, Settled):
                apply_changes([located(step, self._root)])

    def _recover(self) -> int:
        counting = [segment for segment in self._segments if segment.counts]
        lost = [item for item in counting if item.boot != (self._boot or None)]
        steps = chain.from_iterable(item.steps() for item in lost)
        mended = make_good(last_words(steps), self._root)
        if counting:
            self._sync(self._root)
        for segment in counting:
            segment.end()
        return mended


def _attempt(work: Callable[[T], None], argument: T) -> OSError | None:
    try:
        work(argument)
    except OSError as error:
        return error
    return None
