"""Registry middleware in one module: repositories that nobody is to know of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from twisted.internet.defer import Deferred, fail
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.wrapper import Wrapper
from txregistry.interfaces.middleware import IRegistryMiddleware, Services
from txregistry.interfaces.namespace import INamespace, IRepository
from txregistry.spec.errors import NameUnknown
from txregistry.spec.reference import RepositoryName


def make(options: Mapping[str, Any], services: Services) -> IRegistryMiddleware:
    """Make it; an entry point of ``txregistry.middleware`` names this.

    :raise ValueError: the options cannot be used; the daemon then does not start.
    """
    below = options.get("below")
    if not isinstance(below, list) or not all(isinstance(name, str) for name in below):
        raise ValueError("options.below: expected a list of names")
    return Hidden(tuple(below))


@implementer(IRegistryMiddleware)
@attrs.frozen
class Hidden:
    """Hides what is below some names."""

    _below: tuple[str, ...]

    def wrap(self, namespace: INamespace) -> INamespace:
        """Give the namespace without the hidden repositories."""
        return HidingNamespace(namespace, self)  # type: ignore[return-value]

    def hides(self, name: RepositoryName) -> bool:
        """Tell whether a repository is hidden."""
        return any(str(name).startswith(f"{above}/") for above in self._below)


class HidingNamespace(Wrapper):
    """Has all that the other namespace has, but for what is hidden."""

    def __init__(self, namespace: INamespace, hidden: Hidden) -> None:
        super().__init__(namespace)
        self._hidden = hidden

    def repository(self, name: RepositoryName) -> Deferred[IRepository]:
        """Fire with a repository; of ``Denied`` the client would learn that it is."""
        if self._hidden.hides(name):
            return fail(NameUnknown({"name": str(name)}))
        found: Deferred[IRepository] = self.wrapped.repository(name=name)
        return found

    @deferred
    async def repositories(
        self, after: str = "", limit: int | None = None
    ) -> list[RepositoryName]:
        """Fire with a page of the catalogue, filled from as many as it takes."""
        found: list[RepositoryName] = []
        while True:
            page = await self.wrapped.repositories(after=after, limit=limit)
            found += [name for name in page if not self._hidden.hides(name)]
            if limit is None or len(page) < limit or len(found) >= limit:
                return found[:limit]
            after = str(page[-1])
