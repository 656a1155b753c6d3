"""Walk the tree for repositories, tags and manifests, in no order."""

from __future__ import annotations

import posixpath
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import attrs

from txregistry.interfaces.driver import DriverError, IStorageDriver, PathNotFound
from txregistry.spec.digest import HEX_LENGTHS, Digest
from txregistry.spec.errors import (
    DigestInvalid,
    ManifestInvalid,
    NameInvalid,
    TagInvalid,
)
from txregistry.spec.manifest import lenient
from txregistry.spec.manifest.model import Manifest
from txregistry.spec.reference import RepositoryName, Tag, is_name_prefix
from txregistry.storage.tree import layout

T = TypeVar("T")

#: Called with the error of what cannot be read.
Unreadable = Callable[[DriverError], None]


async def walk_repositories(
    driver: IStorageDriver,
    unreadable: Unreadable | None = None,
    path: str = layout.REPOSITORIES,
) -> AsyncIterator[RepositoryName]:
    """Visit the names that hold blobs or manifests.

    :param unreadable: called for a directory that cannot be read, which is skipped;
        without it the walk fails with a ``DriverError``.
    """
    is_repository = False
    async for child in _readable_children(driver, path, unreadable):
        last = posixpath.basename(child)
        is_repository = is_repository or last in (layout.LAYERS, layout.MANIFESTS)
        # Any other entry is no part of a name.
        if is_name_prefix(_below(child)):
            async for name in walk_repositories(driver, unreadable, child):
                yield name
    if is_repository and (found := _name(path)) is not None:
        yield found


async def tags_in_tree(
    driver: IStorageDriver, name: RepositoryName
) -> AsyncIterator[Tag]:
    """Visit the tags that stand for something.

    A tag of which a crash left only the directory does not, whatever the order in which
    its links were written.
    """
    async for path in _children(driver, layout.tags(name)):
        tag = _tag(posixpath.basename(path))
        if tag is not None and await _is_there(driver, layout.tag_current(name, tag)):
            yield tag


async def revisions_in_tree(
    driver: IStorageDriver, name: RepositoryName
) -> AsyncIterator[Digest]:
    """Visit the digests of the manifests that are linked."""
    for algorithm in HEX_LENGTHS:
        async for digest in _digests(driver, f"{layout.revisions(name)}/{algorithm}"):
            yield digest


async def digests_of_tag(
    driver: IStorageDriver, name: RepositoryName, tag: Tag
) -> AsyncIterator[Digest]:
    """Visit what a tag stands for, and has stood for since it was made."""
    for algorithm in HEX_LENGTHS:
        path = f"{layout.tag(name, tag)}/index/{algorithm}"
        async for digest in _digests(driver, path):
            yield digest


async def manifest_in_tree(driver: IStorageDriver, digest: Digest) -> Manifest | None:
    """Give a linked manifest, if its content is there and undamaged."""
    try:
        content = await driver.get(path=layout.blob_data(digest))
        manifest = lenient.read(content, algorithm=digest.algorithm)
    except (DriverError, ManifestInvalid):
        return None  # a link to nothing refers to nothing
    if Digest.of(content, digest.algorithm) != digest:
        return None  # neither does a damaged manifest
    return attrs.evolve(manifest, digest=digest)


async def _digests(driver: IStorageDriver, path: str) -> AsyncIterator[Digest]:
    algorithm = posixpath.basename(path)
    async for child in _children(driver, path):
        digits = posixpath.basename(child)
        try:
            digest = Digest.parse(f"{algorithm}:{digits}")
        except DigestInvalid:
            continue  # a foreign file
        if await _is_there(driver, f"{child}/link"):
            yield digest


async def _children(driver: IStorageDriver, path: str) -> AsyncIterator[str]:
    try:
        async for child in driver.scan(path=path):
            yield child
    except PathNotFound:
        return


async def _readable_children(
    driver: IStorageDriver, path: str, unreadable: Unreadable | None
) -> AsyncIterator[str]:
    try:
        async for child in _children(driver, path):
            yield child
    except DriverError as error:
        if unreadable is None:
            raise
        unreadable(error)


async def _is_there(driver: IStorageDriver, path: str) -> bool:
    try:
        await driver.stat(path=path)
    except PathNotFound:
        return False
    return True


def _below(path: str) -> str:
    return path.removeprefix(f"{layout.REPOSITORIES}/")


def _name(path: str) -> RepositoryName | None:
    try:
        return RepositoryName.parse(_below(path))
    except NameInvalid:
        return None


def _tag(name: str) -> Tag | None:
    try:
        return Tag.parse(name)
    except TagInvalid:
        return None  # a foreign file
