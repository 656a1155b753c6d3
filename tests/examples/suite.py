"""The suite of storage drivers, on the one of a package."""

from __future__ import annotations

from twisted.internet.task import Clock

from tests.examples.driver import make
from txregistry.flow.disk import InlineDisk
from txregistry.testing.drivers import driver_suite

DictDriverTests = driver_suite(lambda case: make({}, InlineDisk(), Clock()))
