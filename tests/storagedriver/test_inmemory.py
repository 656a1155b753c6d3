"""The driver in memory."""

from __future__ import annotations

from twisted.internet.task import Clock

from txregistry.storagedriver.inmemory import MemoryDriver
from txregistry.testing.drivers import driver_suite

MemoryDriverTests = driver_suite(lambda case: MemoryDriver(Clock()))
