"""Who links content, where a ledger does not know of all repositories.

A cache's ledger has what its upstreams' repositories link. Local repositories beside
them are no business of it: their content never expires. Whether they link some content
is asked of the tree, which is the truth.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.interfaces.blobs import ILinkIndex
from txregistry.interfaces.driver import IStorageDriver, PathNotFound
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName
from txregistry.storage.index.names import Names
from txregistry.storage.tree import layout

#: Names of repositories that are read at a time.
_PAGE = 1000


@implementer(ILinkIndex)
@attrs.define(eq=False)
class KeptLinks:
    """Adds local repositories to what a ledger knows.

    :param ledger: of the others.
    :param is_kept: tells whether a repository is local.
    """

    _ledger: ILinkIndex
    _driver: IStorageDriver
    _names: Names
    _is_kept: Callable[[RepositoryName], bool]

    @deferred
    async def holders(self, digest: Digest) -> frozenset[RepositoryName]:
        """Fire with the repositories that hold some content; see :class:`ILinkIndex`.

        Fails with a ``DriverError`` if the tree cannot be read.
        """
        found = set(await self._ledger.holders(digest=digest))
        after, names = "", [RepositoryName("")]
        while names:
            names = await self._names.repositories(after, _PAGE)
            after = names[-1].text if names else ""
            for name in names:
                if self._is_kept(name) and await self._links(name, digest):
                    found.add(name)
        return frozenset(found)

    @deferred
    async def _links(self, name: RepositoryName, digest: Digest) -> bool:
        for link in (layout.layer_link, layout.revision_link):
            try:
                await self._driver.stat(path=link(name, digest))
            except PathNotFound:
                continue
            return True
        return False
