"""Make the storage driver that the configuration names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from twisted.internet.interfaces import IReactorTime

from txregistry.flow.disk import Disk
from txregistry.interfaces.driver import IStorageDriver
from txregistry.storagedriver.offered import STORAGE_DRIVERS

Maker = Callable[[Mapping[str, object], Disk, IReactorTime], IStorageDriver]


class DriverUnknown(Exception):
    """No installed package provides a driver of that name."""


def make_driver(
    name: str, parameters: Mapping[str, object], disk: Disk, clock: IReactorTime
) -> IStorageDriver:
    """Make a driver; the package that has it is imported only now.

    :raise DriverUnknown: no package provides it; the message lists the drivers.
    """
    if name not in STORAGE_DRIVERS:
        raise DriverUnknown(f"{name!r} is none of {', '.join(sorted(STORAGE_DRIVERS))}")
    maker = cast(Maker, STORAGE_DRIVERS.load(name))
    return maker(parameters, disk, clock)
