"""Contracts for middleware: what stands around a registry, a repository, a driver.

A package offers a maker of one by an entry point of ``txregistry.middleware`` whose
name is the kind and the name: ``storage.cloudfront``. It is called as
``make(options, services)`` and gives what is described here. It raises ``ValueError``
or ``OSError`` for options that cannot be used. A check of a configuration makes it as
well, so it reads files at most, changes nothing and begins nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import Interface

from txregistry.interfaces.driver import IStorageDriver
from txregistry.interfaces.namespace import INamespace, IRepository


@attrs.frozen
class Services:
    """What a middleware may use of the daemon.

    :ivar clock: shows the time of day, in seconds since the epoch.
    :ivar reactor: for connections of its own. What waits for it belongs in a service.
    :ivar run: ``run(work, *args)`` calls a function that blocks, in a thread of the
        storage; fires with what it returns, or fails with what it raises.
    :ivar start: is given an ``IService`` of Twisted while the middleware is made. It
        starts with the daemon, before the first request, and stops with it; commands
        that work on the storage without a daemon do not start it.
    """

    clock: IReactorTime
    reactor: Any
    run: Callable[..., Deferred[Any]]
    start: Callable[[Any], None]


class IStorageMiddleware(Interface):
    """Stands around the storage driver."""

    def wrap(driver: IStorageDriver) -> IStorageDriver:
        """Give a driver that provides the interfaces of the other one as well.

        ``Wrapper`` of :mod:`txregistry.flow.wrapper` does. Called once.
        """


class IRegistryMiddleware(Interface):
    """Stands around the set of repositories that clients are given."""

    def wrap(namespace: INamespace) -> INamespace:
        """Give a namespace that provides the interfaces of the other one as well.

        Its ``repository`` may refuse a name, as that of any namespace. A collection,
        and a cache's own work, do not go through it. Called again for the namespace
        that a reload makes.
        """


class IRepositoryMiddleware(Interface):
    """Stands around each repository that a client asks for."""

    def wrap(repository: IRepository) -> IRepository:
        """Give a repository that provides the interfaces of the other one as well.

        Called for many repositories, and again for the same one.
        """
