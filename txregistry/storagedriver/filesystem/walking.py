"""Walks of a tree of files, one directory at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from txregistry.interfaces.driver import DriverError, FileStat, PathNotFound
from txregistry.storagedriver.filesystem.path_work import PathWork
from txregistry.storagedriver.filesystem.stat import Children, Only, stat_all

#: Is told what cannot be read, and the walk goes on; without it the walk fails.
Unreadable = Callable[[DriverError], None]


async def walk_below(
    work: PathWork, path: str, only: Only | None, unreadable: Unreadable | None
) -> AsyncIterator[FileStat]:
    """Visit all below a path; see :meth:`IStorageDriver.walk`."""
    try:
        children: Children = await work.there(
            path, stat_all, work.directory, path, only
        )
    except PathNotFound:
        return
    except DriverError as error:
        _pass_over(error, unreadable)
        return
    for refused, reason in children.refused:
        _pass_over(work.translate(refused, reason), unreadable)
    for item in children.found:
        yield item
        if item.is_directory:
            async for below in walk_below(work, item.path, only, unreadable):
                yield below


def _pass_over(error: DriverError, unreadable: Unreadable | None) -> None:
    if unreadable is None:
        raise error
    unreadable(error)
