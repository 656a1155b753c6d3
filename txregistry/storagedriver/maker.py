"""Make the storage driver that the configuration names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import cast

from twisted.internet.interfaces import IReactorTime

from txregistry.flow.disk import Disk
from txregistry.interfaces.driver import IStorageDriver
from txregistry.storagedriver.offered import STORAGE_DRIVERS
from txregistry.storagedriver.s3.settings import WITHOUT_BOTOCORE

Maker = Callable[[Mapping[str, object], Disk, IReactorTime], IStorageDriver]


class DriverUnknown(Exception):
    """No installed package provides a driver of that name."""


def s3(
    parameters: Mapping[str, object], disk: Disk, clock: IReactorTime
) -> IStorageDriver:
    """Make the S3 driver from its section of the configuration.

    :raise ValueError: the section cannot be used, or botocore is not installed.
    """
    try:
        made = import_module("txregistry.storagedriver.s3.make")
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("botocore"):
            raise
        raise ValueError(WITHOUT_BOTOCORE) from error
    driver: IStorageDriver = made.make_s3(parameters, disk, clock)
    return driver


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
