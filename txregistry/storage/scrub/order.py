"""In which order content is scrubbed, and which content a repository links."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable

from txregistry.interfaces.driver import DriverError, IStorageDriver
from txregistry.spec.digest import HEX_LENGTHS, Digest
from txregistry.spec.reference import RepositoryName
from txregistry.storage.scrub.plan import is_behind
from txregistry.storage.tree import layout
from txregistry.storage.tree.links import Links
from txregistry.storage.tree.shape import is_ours

#: Called with the error of what cannot be read.
Unreadable = Callable[[DriverError], None]


async def all_content(
    driver: IStorageDriver, after: Digest | None, unreadable: Unreadable
) -> AsyncIterator[Digest]:
    """Visit all content, in the order of algorithms and digests.

    :param after: where an earlier visit stopped.
    """

    def is_ahead(path: str) -> bool:
        return is_ours(path) and not is_behind(path, after)

    async for item in driver.walk(
        path=layout.BLOBS, only=is_ahead, unreadable=unreadable
    ):
        digest = _digest(item.path, "data")
        if digest is not None and not item.is_directory:
            yield digest


async def links_of(
    driver: IStorageDriver, name: RepositoryName, unreadable: Unreadable
) -> AsyncIterator[tuple[str, Digest]]:
    """Visit the links of a repository to blobs, manifests and signatures.

    :return: the path of each link, and the content that it stands for.
    """
    for directory in (layout.layers(name), layout.revisions(name)):
        async for item in driver.walk(
            path=directory, only=is_ours, unreadable=unreadable
        ):
            digest = _digest(item.path, "link")
            if digest is None or item.is_directory:
                continue
            if digest.algorithm != "sha256":
                # A link may stand for content under its canonical digest.
                digest = await Links(driver).read(item.path) or digest
            yield item.path, digest


async def content_of(
    driver: IStorageDriver, names: Iterable[RepositoryName], unreadable: Unreadable
) -> list[Digest]:
    """Give the content that repositories link, in the order of all content."""
    found = set()
    for name in names:
        async for _, digest in links_of(driver, name, unreadable):
            found.add(digest)
    return sorted(found)


def _digest(path: str, name: str) -> Digest | None:
    """Give the digest in a path of content, or of a link."""
    parts = path.split("/")
    if parts[-1] != name:
        return None
    algorithm, digits = parts[-3 if name == "link" else -4], parts[-2]
    if HEX_LENGTHS.get(algorithm) != len(digits):
        return None
    return Digest(algorithm, digits)
