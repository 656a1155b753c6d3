"""The grammar of driver paths, the same for all drivers."""

from __future__ import annotations

import posixpath
import re

from txregistry.interfaces.driver import InvalidPath

ROOT = "/"

_NAME = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_PATH = re.compile(r"(/[A-Za-z0-9._-]+)+", re.ASCII)

#: A write under way, ours or the Go registry's (``<path>.<uuid>.tmp``).
_TEMPORARY = re.compile(r"\.[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\.tmp$")


def check_file(driver: str, path: str) -> str:
    """Give a path that may name a file.

    :raise InvalidPath: it breaks the grammar, or climbs with ``..``.
    """
    if _PATH.fullmatch(path) is None or ".." in path.split("/"):
        raise InvalidPath(driver, path, "not a path")
    return path


def check_directory(driver: str, path: str) -> str:
    """Give a path that may name a directory: as a file's, or the root.

    :raise InvalidPath: it breaks the grammar.
    """
    return path if path == ROOT else check_file(driver, path)


def is_name(name: str) -> bool:
    """Tell a name that can be part of a path, and is of no write under way.

    Others lie in people's directories as well: of file systems, of file servers.
    """
    return _NAME.fullmatch(name) is not None and not is_temporary(name)


def is_temporary(name: str) -> bool:
    """Tell a file that is being written; readers pass it over."""
    return _TEMPORARY.search(name) is not None


def child(path: str, name: str) -> str:
    """Join a directory's path and a name."""
    return posixpath.join(path, name)
