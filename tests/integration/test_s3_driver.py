"""The S3 driver against Ceph: the suite of its contract, over real connections."""

from __future__ import annotations

import uuid
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.integration.ceph import shared_ceph
from tests.integration.store import ObjectStore
from txregistry.flow.deferred import deferred
from txregistry.flow.disk import DiskPool
from txregistry.interfaces.driver import IStorageDriver
from txregistry.storagedriver.s3.make import make_s3
from txregistry.storagedriver.s3.request import Ask
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


class ForeignKeyTests(WaitingCase):
    """Objects of other programs, whose keys are no paths of ours."""

    def test_odd_keys(self) -> None:
        """They are passed over by lists, and go with their directory."""
        driver: Any = on_ceph(self)
        odd = ("d/\x01", "d/a b", "d/a+b", "d/a%2Bb", "d/<&>", "d/\u00e9", "d/e\x0b/x")
        for key in (*odd, "d/a", "d/b/c"):
            put = driver._parts.client.do(Ask("PUT", key))
            self.successResultOf(put)
        self.assertEqual(self.successResultOf(driver.list("/d")), ["/d/a", "/d/b"])

        @deferred
        async def keys() -> list[str]:
            pages = driver._parts.listing.pages("d/")
            return [item.key async for page in pages for item in page.objects]

        self.assertEqual(self.successResultOf(keys()), sorted((*odd, "d/a", "d/b/c")))
        self.successResultOf(driver.delete("/d"))
        self.assertEqual(self.successResultOf(keys()), [])
