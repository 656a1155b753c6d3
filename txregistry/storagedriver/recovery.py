"""Make good what a power failure undid; blocking, before anything is served."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from txregistry.storagedriver.changes import put_quickly, unlink_if_there
from txregistry.storagedriver.records import Outcome


def make_good(outcome: Outcome, root: str) -> int:
    """See to it that files are what steps came to.

    :param root: the real directory under which the paths are.
    :return: how many were not.
    :raise OSError: a file cannot be read, written or deleted.
    """
    kept = {root + path: content for path, content in outcome.files.items()}
    deleted = sum(_delete_all_but(root + path, kept) for path in outcome.deleted)
    wanted = ((path, it) for path, it in kept.items() if it is not None)
    return deleted + sum(_write(path, content) for path, content in wanted)


def _delete_all_but(path: str, kept: Mapping[str, bytes | None]) -> int:
    if not os.path.isdir(path):
        return _delete(path) if path not in kept else 0
    count = 0
    for directory, _, names in os.walk(path, topdown=False):
        found = (os.path.join(directory, name) for name in names)
        count += sum(_delete(file) for file in found if file not in kept)
        with suppress(OSError):  # something in it is kept
            os.rmdir(directory)
    return count


def _delete(path: str) -> bool:
    found = os.path.lexists(path)
    unlink_if_there(path)
    return found


def _write(path: str, content: bytes) -> bool:
    if _read(path) == content:
        return False
    put_quickly(path, content)
    return True


def _read(path: str) -> bytes | None:
    try:
        return Path(path).read_bytes()
    except OSError:
        return None  # not there, or damaged
