"""Links to content that is not there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from txregistry.interfaces.driver import IStorageDriver, PathNotFound
from txregistry.interfaces.scrub import ScrubFinding, ScrubOutcome
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName
from txregistry.storage.scrub.order import Unreadable, links_of
from txregistry.storage.tree import layout
from txregistry.storage.tree.walk import walk_repositories

#: Digests that are looked at once more at the end.
_MAX_SUSPECTS = 100_000


async def dangling_links(
    driver: IStorageDriver,
    names: Sequence[RepositoryName],
    unreadable: Unreadable,
    is_local: Callable[[RepositoryName], bool] | None = None,
) -> AsyncIterator[ScrubFinding]:
    """Visit content that repositories link and that is missing, once each.

    A delete, or a collection, may be between content and link: each is looked at once
    more at the end.

    :param names: the repositories; none for all.
    :param is_local: tells which of them are looked at, in a cache: others need not have
        what they link, which is fetched when it is asked for. ``None`` for all.
    """
    suspects: dict[Digest, list[tuple[str, RepositoryName]]] = {}
    async for name in _repositories(driver, names, unreadable):
        if is_local is not None and not is_local(name):
            continue
        async for path, digest in links_of(driver, name, unreadable):
            if digest not in suspects and await is_there(
                driver, layout.blob_data(digest)
            ):
                continue
            if len(suspects) < _MAX_SUSPECTS:
                suspects.setdefault(digest, []).append((path, name))
    for digest, links in suspects.items():
        linked = {str(name) for path, name in links if await is_there(driver, path)}
        if linked and not await is_there(driver, layout.blob_data(digest)):
            yield ScrubFinding(
                str(digest), 0, ScrubOutcome.MISSING, tuple(sorted(linked))
            )


async def is_there(driver: IStorageDriver, path: str) -> bool:
    """Tell whether there is a file."""
    try:
        await driver.stat(path=path)
    except PathNotFound:
        return False
    return True


async def _repositories(
    driver: IStorageDriver, names: Sequence[RepositoryName], unreadable: Unreadable
) -> AsyncIterator[RepositoryName]:
    for name in names:
        yield name
    if not names:
        async for name in walk_repositories(driver, unreadable):
            yield name
