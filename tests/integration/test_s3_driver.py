"""The S3 driver against Ceph: the suite of its contract, over real connections."""

from __future__ import annotations

import uuid
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.integration.ceph import shared_ceph
from tests.integration.store import ObjectStore
from txregistry.flow.disk import DiskPool
from txregistry.interfaces.driver import IStorageDriver
from txregistry.storagedriver.s3.make import make_s3
from txregistry.testing.drivers import driver_suite


def make_on(store: ObjectStore, test: SynchronousTestCase) -> IStorageDriver:
    """Make a driver on a new bucket, with short pages."""
    bucket = f"suite-{uuid.uuid4()}"
    disk = DiskPool.create(reactor, 4, "disk")  # type: ignore[arg-type]
    disk.startService()
    test.addCleanup(disk.stopService)
    driver = make_s3(store.section(bucket), disk, reactor)  # type: ignore[arg-type]
    driver.connect(reactor)
    driver._parts.listing.page_keys = 25
    spin(store.make_bucket(driver))
    test.addCleanup(lambda: spin(driver.disconnect()))
    return driver


def spin(done: Deferred[Any]) -> None:
    """Run the reactor until a Deferred has fired."""
    fired: list[object] = []
    done.addBoth(lambda result: (fired.append(None), result)[1])
    while not fired:
        reactor.iterate(0.05)  # type: ignore[attr-defined]


def on_ceph(test: SynchronousTestCase) -> IStorageDriver:
    return make_on(shared_ceph(), test)


class WaitingCase(SynchronousTestCase):
    """Waits for what is asked, as it takes time."""

    def successResultOf(self, deferred: Any) -> Any:
        """Wait for it."""
        spin(deferred)
        return super().successResultOf(deferred)

    def failureResultOf(self, deferred: Any, *expected: Any) -> Any:
        """Wait for it."""
        spin(deferred)
        return super().failureResultOf(deferred, *expected)


class S3OverCeph(
    WaitingCase,
    driver_suite(on_ceph, is_tree=False, many=60),  # type: ignore[misc]
):
    """The contract of storage drivers, on an object store."""
