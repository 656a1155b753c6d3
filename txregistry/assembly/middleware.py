"""Middleware, as the configuration lists it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import attrs
from twisted.application.service import IService

from txregistry.assembly.context import Context
from txregistry.assembly.makers import complaint
from txregistry.config.middleware import enabled
from txregistry.flow.disk import Disk
from txregistry.interfaces.driver import IStorageDriver
from txregistry.interfaces.middleware import Services
from txregistry.interfaces.namespace import INamespace
from txregistry.middleware.chain import wrap_driver, wrap_namespace
from txregistry.middleware.maker import make_middleware


@attrs.define(eq=False)
class Chains:
    """All middleware of a configuration, each list with the innermost first.

    :ivar services: of middleware, to be started before the first request.
    """

    registry: list[Any] = attrs.field(factory=list)
    repository: list[Any] = attrs.field(factory=list)
    storage: list[Any] = attrs.field(factory=list)
    services: list[IService] = attrs.field(factory=list)

    def around_driver(self, driver: IStorageDriver) -> IStorageDriver:
        """Put middleware around the storage."""
        return wrap_driver(driver, self.storage)

    def around_namespace(self, namespace: INamespace) -> INamespace:
        """Put middleware around what clients are given."""
        return wrap_namespace(namespace, self.registry, self.repository)


def build_middleware(context: Context, disk: Disk) -> Chains:
    """Make the middleware of a configuration; no service starts yet.

    :param disk: the threads of the storage.
    :raise OSError: a file that an option names cannot be read.
    :raise ValueError: nobody offers a middleware, or its options cannot be used.
    """
    chains = Chains()
    services = Services(
        context.clock, context.reactor, disk.run, chains.services.append
    )
    for kind, path, item in enabled(context.config.middleware):
        options = cast("Mapping[str, object]", item.options or {})
        try:
            made = make_middleware(kind, item.name, options, services)
        except (ValueError, OSError) as error:
            raise ValueError(complaint(path, str(error))) from error
        getattr(chains, kind).append(made)
    return chains
