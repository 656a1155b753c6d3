"""Find a storage driver by its name in the configuration and make it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import cast

from twisted.internet.interfaces import IReactorTime

from txregistry.flow.disk import Disk
from txregistry.interfaces.driver import IStorageDriver
from txregistry.storagedriver.filesystem.driver import FilesystemDriver
from txregistry.storagedriver.inmemory import MemoryDriver

#: Entry points of this group are called as ``(parameters, disk, clock)``.
GROUP = "txregistry.storage_drivers"

Maker = Callable[[Mapping[str, object], Disk, IReactorTime], IStorageDriver]


class DriverUnknown(Exception):
    """No installed package provides a driver of that name."""


def filesystem(
    parameters: Mapping[str, object], disk: Disk, clock: IReactorTime
) -> IStorageDriver:
    """Make the filesystem driver from its section of the configuration."""
    root = parameters.get("rootdirectory", "/var/lib/registry")
    direct = bool(parameters.get("directwrites", True))
    return FilesystemDriver(os.path.abspath(str(root)), disk, direct_writes=direct)


def inmemory(
    parameters: Mapping[str, object], disk: Disk, clock: IReactorTime
) -> IStorageDriver:
    """Make the inmemory driver, which has no parameters."""
    return MemoryDriver(clock)


def known_drivers() -> frozenset[str]:
    """Give the names of all drivers that installed packages provide."""
    return frozenset(point.name for point in entry_points(group=GROUP))


def make_driver(
    name: str, parameters: Mapping[str, object], disk: Disk, clock: IReactorTime
) -> IStorageDriver:
    """Make a driver; the package that has it is imported only now.

    :raise DriverUnknown: no package provides it; the message lists the drivers.
    """
    offered = {point.name: point for point in entry_points(group=GROUP)}
    if name not in offered:
        raise DriverUnknown(f"{name!r} is none of {', '.join(sorted(offered))}")
    maker = cast(Maker, offered[name].load())
    return maker(parameters, disk, clock)
