"""Middleware around middleware: the first of a list is the innermost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from txregistry.flow.deferred import deferred
from txregistry.flow.lru import Lru
from txregistry.flow.wrapper import Wrapper
from txregistry.interfaces.driver import IStorageDriver
from txregistry.interfaces.middleware import (
    IRegistryMiddleware,
    IRepositoryMiddleware,
    IStorageMiddleware,
)
from txregistry.interfaces.namespace import INamespace, IRepository
from txregistry.spec.reference import RepositoryName

#: Repositories whose wrappers are kept.
MAX_REPOSITORIES = 256


def wrap_driver(
    driver: IStorageDriver, chain: Sequence[IStorageMiddleware]
) -> IStorageDriver:
    """Put storage middleware around a driver.

    :raise ValueError: one gives no driver.
    """
    found: Any = driver
    for middleware in chain:
        found = _provided(IStorageDriver, middleware.wrap(driver=found), middleware)
    return cast(IStorageDriver, found)


def wrap_namespace(
    namespace: INamespace,
    registry: Sequence[IRegistryMiddleware],
    repository: Sequence[IRepositoryMiddleware],
) -> INamespace:
    """Put middleware around a namespace, and around each of its repositories.

    :raise ValueError: one of the first kind gives no namespace.
    """
    found: Any = namespace
    for middleware in registry:
        found = _provided(INamespace, middleware.wrap(namespace=found), middleware)
    return cast(
        INamespace, _WrappedNamespace(found, repository) if repository else found
    )


class _WrappedNamespace(Wrapper):
    """A namespace whose repositories have middleware around them."""

    def __init__(
        self, wrapped: INamespace, chain: Sequence[IRepositoryMiddleware]
    ) -> None:
        super().__init__(wrapped)
        self._chain = chain
        self._kept: Lru[RepositoryName, tuple[IRepository, IRepository]]
        self._kept = Lru(MAX_REPOSITORIES)

    @deferred
    async def repository(self, name: RepositoryName) -> IRepository:
        """Fire with a repository; fail as the other namespace does."""
        inner = await self.wrapped.repository(name=name)
        kept = self._kept.get(name)
        if kept is not None and kept[0] is inner:
            return kept[1]
        outer = self._wrap(inner)
        self._kept.put(name, (inner, outer))
        return outer

    def _wrap(self, repository: IRepository) -> IRepository:
        found: Any = repository
        for middleware in self._chain:
            wrapped = middleware.wrap(repository=found)
            found = _provided(IRepository, wrapped, middleware)
        return cast(IRepository, found)


def _provided(interface: Any, made: object, by: object) -> object:
    if not interface.providedBy(made):
        raise ValueError(f"{type(by).__name__} gives no {interface.__name__}")
    return made
