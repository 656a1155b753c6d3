"""Both drivers are held to the contract."""

from __future__ import annotations

from twisted.internet.task import Clock

from txregistry.flow.disk import InlineDisk
from txregistry.storagedriver.filesystem import FilesystemDriver
from txregistry.storagedriver.memory import MemoryDriver
from txregistry.testing.drivers import driver_suite


def filesystem(case):
    root = case.mktemp()
    return FilesystemDriver(root, InlineDisk())


MemoryDriverTests = driver_suite(lambda case: MemoryDriver(Clock()))
FilesystemDriverTests = driver_suite(filesystem)
