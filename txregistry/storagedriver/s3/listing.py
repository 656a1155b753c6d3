"""Lists of objects: directories, and all below one."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable

import attrs

from txregistry.flow.deferred import deferred
from txregistry.interfaces.driver import FileStat
from txregistry.interfaces.driverpaths import is_name
from txregistry.storagedriver.s3.answers import (
    BadAnswer,
    Object,
    ObjectPage,
    read_page,
)
from txregistry.storagedriver.s3.client import Client
from txregistry.storagedriver.s3.keys import Keys
from txregistry.storagedriver.s3.request import Ask

Only = Callable[[str], bool]

#: Keys of a page; no store gives more.
_PAGE_KEYS = 1000


@attrs.define(eq=False)
class Listing:
    """Lists what is in one bucket.

    :ivar page_keys: at most so many keys are asked for at once.

    All fails with ``Refused``, ``StoreUnreachable`` or ``BadAnswer``.
    """

    _client: Client
    _keys: Keys
    page_keys: int = _PAGE_KEYS

    async def pages(
        self, prefix: str, delimiter: str = "", after: str = "", most: int = 0
    ) -> AsyncIterator[ObjectPage]:
        """Visit pages of keys that begin so; await each.

        :param most: keys of a page; 0 for as many as there may be.
        """
        token, most = "", most or self.page_keys
        while True:
            page = await self._page(prefix, delimiter, after, most, token)
            yield page
            if page.token and page.token == token:
                raise BadAnswer("a list that does not go on")
            token = page.token
            if not token:
                return

    @deferred
    async def first(self, prefix: str) -> Object | None:
        """Fire with the first object whose key begins so, if there is one."""
        # One may be a folder of a console, and a page may be empty and not the last.
        async for page in self.pages(prefix, most=2):
            if page.objects:
                return page.objects[0]
        return None

    async def children(self, path: str) -> AsyncIterator[FileStat]:
        """Visit what is in a directory, page by page; await each.

        What has a name that is part of no path is passed over.
        """
        prefix = self._keys.prefix(path)
        async for page in self.pages(prefix, "/"):
            for item in self._files(page.objects):
                if is_name(item.path.rpartition("/")[2]):
                    yield item
            for common in page.prefixes:
                below = self._keys.path(common.rstrip("/"))
                if is_name(below.rpartition("/")[2]):
                    yield _directory(below)

    async def walk(
        self, path: str, only: Only | None = None
    ) -> AsyncIterator[FileStat]:
        """Visit all below a directory, parents first and siblings sorted.

        The store sorts keys as text, in which ``a-b/c`` comes before ``a/c``. So each
        child of a directory is put in order by itself; one with more than a page below
        it is walked through in turn, and so are all where a name begins with another.
        """
        children = [item async for item in self.children(path)]
        children.sort(key=lambda item: item.path)
        wanted = [item for item in children if only is None or only(item.path)]
        if not wanted:
            return
        if _may_differ(item.path for item in children):
            async for item in self._one_by_one(wanted, only):
                yield item
            return
        async for item in self._together(path, wanted, only):
            yield item

    async def _one_by_one(
        self, children: Iterable[FileStat], only: Only | None
    ) -> AsyncIterator[FileStat]:
        for child in children:
            yield child
            if not child.is_directory:
                continue
            prefix = self._keys.prefix(child.path)
            page = await self._page(prefix, "", "", self.page_keys, "")
            if page.token:
                async for item in self.walk(child.path, only):
                    yield item
            else:
                for item in self._tree(child.path, page.objects, only):
                    yield item

    async def _together(
        self, path: str, children: list[FileStat], only: Only | None
    ) -> AsyncIterator[FileStat]:
        """Visit children whose keys come in the order of their names."""
        stream = _Stream(self, self._keys.prefix(path))
        for child in children:
            yield child
            if not child.is_directory:
                continue
            prefix = self._keys.prefix(child.path)
            found = await stream.below(prefix)
            if found is None:
                async for item in self.walk(child.path, only):
                    yield item
            else:
                for item in self._tree(child.path, found, only):
                    yield item

    def _tree(
        self, path: str, objects: Iterable[Object], only: Only | None
    ) -> Iterable[FileStat]:
        """Put all below a directory in order, with the directories in between."""
        found: dict[tuple[str, ...], FileStat] = {}
        for file in self._files(objects):
            names = file.path[len(path) :].lstrip("/").split("/")
            if not all(map(is_name, names)):
                continue
            for depth in range(1, len(names)):
                above = tuple(names[:depth])
                if above not in found:
                    found[above] = _directory("/".join([path, *above]))
            found[tuple(names)] = file
        return _wanted((found[names] for names in sorted(found)), only)

    def _files(self, objects: Iterable[Object]) -> Iterable[FileStat]:
        for item in objects:
            path = self._keys.path(item.key)
            yield FileStat(path, item.size, item.modified_at, is_directory=False)

    @deferred
    async def _page(
        self, prefix: str, delimiter: str, after: str, most: int, token: str
    ) -> ObjectPage:
        query = {
            "list-type": "2",
            # Others may have keys that no document can hold as they are.
            "encoding-type": "url",
            "prefix": prefix,
            "delimiter": delimiter,
            "start-after": after if not token else "",
            "continuation-token": token,
            "max-keys": str(most),
        }
        given = tuple(sorted((name, text) for name, text in query.items() if text))
        return read_page((await self._client.do(Ask("GET", query=given))).body)


@attrs.define(eq=False)
class _Stream:
    """Objects in the order of their keys, from which ascending prefixes are taken."""

    _listing: Listing
    _prefix: str
    _after: str = ""
    _page: list[Object] = attrs.field(factory=list)
    _pages: AsyncIterator[ObjectPage] | None = None
    _is_over: bool = False

    @deferred
    async def below(self, prefix: str) -> list[Object] | None:
        """Fire with all below a prefix, or ``None`` if that is more than a page."""
        found: list[Object] = []
        while True:
            for index, item in enumerate(self._page):
                if item.key.startswith(prefix):
                    found.append(item)
                elif item.key > prefix:
                    self._page = self._page[index:]
                    return found
            if len(found) > self._listing.page_keys:
                self._skip(prefix)
                return None
            if not await self._next(prefix if not found else ""):
                return found

    def _skip(self, prefix: str) -> None:
        """Go on behind a prefix; what it has is listed by somebody else."""
        self._page, self._pages = [], None
        self._after = prefix[:-1] + "0"  # which comes next to the slash

    async def _next(self, start: str) -> bool:
        self._page = []
        if self._is_over:
            return False
        if self._pages is None:
            after = max(self._after, start)
            self._pages = self._listing.pages(self._prefix, after=after)
        async for page in self._pages:
            self._page = list(page.objects)
            return True
        self._is_over = True
        return False


def _directory(path: str) -> FileStat:
    return FileStat(path, 0, 0.0, is_directory=True)


def _may_differ(paths: Iterable[str]) -> bool:
    """Tell if a name begins with another, and goes on with what sorts before ``/``."""
    names = set(paths)
    return any(
        name[: match.start()] in names
        for name in names
        for match in re.finditer(r"[-.]", name)
        if match.start() > name.rfind("/") + 1
    )


def _wanted(items: Iterable[FileStat], only: Only | None) -> Iterable[FileStat]:
    refused: list[str] = []
    for item in items:
        if refused and item.path.startswith(refused[-1]):
            continue
        if only is not None and not only(item.path):
            refused.append(f"{item.path}/")
            continue
        yield item
