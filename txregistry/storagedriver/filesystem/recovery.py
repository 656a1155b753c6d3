"""Repair what a power failure undid; blocking, before anything is served.

Note [What came later]. A journal may be found long after it was written: another
registry may have used the directory meanwhile, or a backup restored the journal. A file
that changed clearly after the last record is not overwritten. So all files are examined
first, and only then changed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import attrs

from txregistry.interfaces.driverpaths import check_file
from txregistry.storagedriver.filesystem.atomic import put_quickly, unlink_if_there
from txregistry.storagedriver.filesystem.journal.records import Outcome

#: Seconds. Times of files are coarse, and clocks are set: a file newer than the last
#: record by less than this is ours.
TOLERANCE_SECONDS = 60.0


@attrs.define
class RecoveryPlan:
    """The changes to make.

    :ivar mended: how many files are not what they should be.
    :ivar left: how many of them have changed since, and stay as they are.
    """

    deletions: list[str] = attrs.field(factory=list)
    directories: list[str] = attrs.field(factory=list)
    files: dict[str, bytes] = attrs.field(factory=dict)
    mended: int = 0
    left: int = 0


def plan(
    outcome: Outcome, root: str, until: float, rewrite: bool = False
) -> RecoveryPlan:
    """Find files that are not as the steps left them; changes nothing.

    :param root: the real directory under which the paths are.
    :param until: when the last step was recorded; Unix time.
    :param rewrite: write files that seem right again too.
    :raise OSError: a file cannot be read.
    :raise InvalidPath: a path is invalid.
    """
    latest = until + TOLERANCE_SECONDS
    found = RecoveryPlan()
    kept = {
        root + check_file("journal", path): it for path, it in outcome.files.items()
    }
    gone: dict[str, None] = {}
    for path in outcome.deleted:
        real = root + check_file("journal", path)
        gone.update(dict.fromkeys(_files_below(real)))
        if _is_directory(real):
            found.directories.append(real)
    for file in gone:
        if file not in kept:
            _add_deletion(found, file, latest)
    for path, content in kept.items():
        _add_file(found, path, content, latest, rewrite)
    return found


def carry_out(found: RecoveryPlan) -> None:
    """Make the changes; idempotent.

    :raise OSError: a file cannot be written or deleted.
    """
    for path in found.deletions:
        unlink_if_there(path)
    for path in found.directories:
        for directory, _, _ in os.walk(path, topdown=False):
            with suppress(OSError):  # it holds files that are kept
                os.rmdir(directory)
    for path, content in found.files.items():
        put_quickly(path, content)


def _add_deletion(found: RecoveryPlan, path: str, latest: float) -> None:
    if _changed_after(path, latest):
        found.left += 1
    else:
        found.deletions.append(path)
        found.mended += 1


def _add_file(
    found: RecoveryPlan, path: str, content: bytes, latest: float, rewrite: bool
) -> None:
    if is_wrong := _read(path) != content:
        if _changed_after(path, latest):
            found.left += 1
            return
    elif not rewrite:
        return
    found.mended += is_wrong
    found.files[path] = content


def _changed_after(path: str, latest: float) -> bool:
    """Tell whether a file, or its directory if it is missing, has changed since."""
    while True:
        try:
            return os.lstat(path).st_mtime > latest
        except (FileNotFoundError, NotADirectoryError):
            path = os.path.dirname(path)


def _files_below(path: str) -> Iterator[str]:
    """Give all that is no directory; a link to one leads to what is not ours."""
    if _is_directory(path):
        for directory, inner, names in os.walk(path):
            below = [os.path.join(directory, name) for name in (*inner, *names)]
            yield from (found for found in below if not _is_directory(found))
    elif os.path.lexists(path):
        yield path


def _is_directory(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def _read(path: str) -> bytes | None:
    try:
        return Path(path).read_bytes()
    except OSError:
        return None  # missing, or damaged
