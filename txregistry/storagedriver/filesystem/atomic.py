"""Changes of files and directories, made durable together; blocking, for a thread.

Note [Durable together]. Three rounds: write new contents beside their places and sync
each; rename everything into place, in order; sync every directory that has changed. A
journaling file system writes all of a round with its first sync, and the other syncs of
the round return at once. No file gets its name before its content is safe, so any file
that a crash leaves is whole.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar

import attrs

from txregistry.interfaces.driver import Change, MoveFile, PutFile, RemoveTree
from txregistry.interfaces.driverpaths import is_name
from txregistry.storagedriver.filesystem.stat import open_file

T = TypeVar("T")

#: Called with the descriptor and the path of a new file.
Look = Callable[[int, str], None]

#: Flags to open a file that must not exist yet.
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC

#: How often a directory may be pruned between its creation and its use.
_PRUNE_RACES = 30


def apply_changes(changes: Sequence[Change], root: str | None = None) -> None:
    """Make changes whose paths are those of the real file system; see the note.

    :param root: below it directories may have been made without a sync: those above a
        change are synced too, up to this one.
    :raise OSError: a change failed; earlier ones may have been made.
    """
    touched: dict[str, None] = {}
    moves: list[MoveFile] = []
    try:
        for change in changes:
            moves += _as_moves(change, touched)
        while moves:
            _rename(moves[0], touched)
            del moves[0]
    finally:
        for move in moves:
            if move.source.endswith(".tmp"):
                unlink_if_there(move.source)
    for directory in touched if root is None else _with_those_above(touched, root):
        _sync_if_there(directory)
    for change in changes:
        if isinstance(change, RemoveTree):
            remove_tree(change.path)


def _with_those_above(directories: Iterable[str], root: str) -> dict[str, None]:
    found: dict[str, None] = {}
    for path in directories:
        above = path
        while above.startswith(root) and above not in found:
            found[above] = None
            above = os.path.dirname(above)
    return found


def remove_tree(path: str) -> None:
    """Delete a directory with all below it, as far as possible.

    A symbolic link is deleted itself, not the directory it points to.
    """
    with suppress(OSError):
        if os.path.islink(path):
            os.unlink(path)
            return
        for name in os.listdir(path):
            _remove(os.path.join(path, name))
        os.rmdir(path)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except IsADirectoryError:
        shutil.rmtree(path, ignore_errors=True)


def _delete_directory(path: str) -> bool:
    """Delete a directory with all below it; tell whether it was removed.

    It stays if it holds a foreign file that cannot be deleted: one whose name is part
    of no path, or in a directory of another user.

    :raise OSError: a file of the registry could not be deleted.
    """
    is_empty = True
    for name in sorted(os.listdir(path), key=is_name, reverse=True):
        below = os.path.join(path, name)
        if os.path.isdir(below) and not os.path.islink(below):
            is_empty = _delete_below(below, is_name(name)) and is_empty
        elif is_name(name):
            unlink_if_there(below)
        else:
            is_empty = _delete_foreign(below) and is_empty
    if is_empty:
        with suppress(FileNotFoundError):  # pruned since
            os.rmdir(path)
    return is_empty


def _delete_below(path: str, is_ours: bool) -> bool:
    if not is_ours:
        return _delete_foreign(path)
    try:
        return _delete_directory(path)
    except PermissionError:
        if os.stat(path).st_uid == os.geteuid():
            raise
        return False


def _delete_foreign(path: str) -> bool:
    with suppress(OSError):
        _remove(path)
    return not os.path.lexists(path)


def paths_of(change: Change) -> Sequence[str]:
    """Give the paths that a change names."""
    if isinstance(change, MoveFile):
        return (change.source, change.destination)
    return (change.path,)


def located(change: Change, root: str) -> Change:
    """Give a change with paths of the real file system."""
    if isinstance(change, MoveFile):
        source, destination = root + change.source, root + change.destination
        return MoveFile(source, destination, change.sync)
    return attrs.evolve(change, path=root + change.path)


def _as_moves(change: Change, touched: dict[str, None]) -> list[MoveFile]:
    """Write new content beside its place, ready to be renamed."""
    if isinstance(change, PutFile):
        temporary = _write_beside(change.path, change.content, touched, sync=True)
        return [MoveFile(temporary, change.path)]
    if not isinstance(change, MoveFile):
        return []
    if change.sync:
        _sync_file(change.source)
    return [change]


def _sync_file(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_beside(
    path: str,
    content: bytes,
    touched: dict[str, None],
    sync: bool,
    mode: int = 0o666,
    look: Look | None = None,
) -> str:
    temporary = f"{path}.{os.urandom(16).hex()}.tmp"
    try:
        descriptor = in_directory(
            path, lambda: os.open(temporary, _NEW, mode), touched, is_new=True
        )
        try:
            if look is not None:
                look(descriptor, temporary)
            write_all(descriptor, content)
            if sync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except BaseException:
        unlink_if_there(temporary)
        raise
    return temporary


def write_all(descriptor: int, content: bytes, offset: int | None = None) -> None:
    """Write all of some content.

    A nearly full disk takes a part first, and fails only at the next write.

    :param offset: in bytes; if not given, the current position, which advances.
    :raise OSError: not all of it could be written.
    """
    view = memoryview(content)
    while view:
        if offset is None:
            view = view[os.write(descriptor, view) :]
        else:
            done = len(content) - len(view)
            view = view[os.pwrite(descriptor, view, offset + done) :]


def _rename(move: MoveFile, touched: dict[str, None]) -> None:
    source, destination = move.source, move.destination
    if stat.S_ISDIR(os.stat(source).st_mode):
        raise IsADirectoryError(21, "is a directory")
    in_directory(destination, lambda: os.replace(source, destination), touched)
    touched[os.path.dirname(destination)] = None


def put_quickly(path: str, content: bytes, look: Look | None = None) -> None:
    """Replace a small file whole, without waiting for the disk.

    :param look: called with the new, empty file; if it raises, the error is raised and
        nothing has changed.
    :raise OSError: it failed; nothing has changed.
    """
    _into_place(_write_beside(path, content, {}, sync=False, look=look), path)


def put_private(path: str, content: bytes) -> None:
    """Replace a small file whole, readable by its owner alone.

    A power failure leaves the old content or the new.

    :raise OSError: it failed; nothing has changed.
    """
    _into_place(_write_beside(path, content, {}, sync=True, mode=0o600), path)


def _into_place(temporary: str, path: str) -> None:
    try:
        os.rename(temporary, path)
    except BaseException:
        unlink_if_there(temporary)
        raise


def read_whole(path: str) -> bytes:
    """Read a file that may be large."""
    with open(open_file(path), "rb") as file:
        return file.read()


def in_directory(
    path: str,
    work: Callable[[], T],
    touched: dict[str, None] | None = None,
    is_new: bool = False,
) -> T:
    """Do something in the directory of a path, which is made if necessary.

    :param touched: receives every directory that has a new entry.
    :param is_new: the directory most likely does not exist yet.
    """
    touched = {} if touched is None else touched
    for turn in range(_PRUNE_RACES):
        if turn or is_new:
            # A new directory may be pruned at once, also before its child is made.
            with _unless_pruned():
                _make_directory(os.path.dirname(path), touched)
        with _unless_pruned():
            return work()
    return work()


@contextmanager
def _unless_pruned() -> Iterator[None]:
    """Go on if a directory is gone; what another machine deleted is stale here."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ESTALE):
            raise


def _make_directory(path: str, touched: dict[str, None]) -> None:
    parent = os.path.dirname(path)
    try:
        os.mkdir(path)
    except FileNotFoundError:
        if not path:
            return  # the working directory: it exists
        _make_directory(parent, touched)
        with suppress(FileExistsError):
            os.mkdir(path)
    except FileExistsError:
        pass  # another thread was faster, and may not have synced it yet
    touched[parent] = None


def _sync_if_there(path: str) -> None:
    with _unless_pruned():  # it has nothing left to lose
        sync_directory(path)


def sync_directory(path: str) -> None:
    """Wait until the entries of a directory are durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def prune(path: str, stop: str) -> None:
    """Remove a directory if it is empty, then its parent, up to one that stays."""
    while path != stop and path.startswith(stop):
        try:
            os.rmdir(path)
        except FileNotFoundError:
            pass  # the parent may still be empty
        except OSError:
            return  # not empty
        path = os.path.dirname(path)


def delete(path: str, durable: bool) -> None:
    """Delete a file, or a directory with all below it.

    :raise OSError: it failed, or the path does not exist.
    """
    if os.path.isdir(path) and not os.path.islink(path):
        _delete_directory(path)
    else:
        os.unlink(path)
    if durable:
        _sync_if_there(os.path.dirname(path))


def unlink_if_there(path: str) -> None:
    """Delete a file, if there is one."""
    try:
        os.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        return  # it was never made, or has been renamed
