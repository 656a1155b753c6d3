"""OpenStack Swift: the driver's contract, and daemons; ``make swift-test`` runs it."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase

from tests.integration import test_s3
from tests.integration.store import ObjectStore
from tests.integration.swift import shared_swift
from tests.integration.test_s3 import sha
from tests.integration.test_s3_driver import WaitingCase, make_on
from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.driver import DriverError, IStorageDriver
from txregistry.storagedriver.s3.driver import S3Driver
from txregistry.storagedriver.s3.make import make_s3
from txregistry.storagedriver.s3.request import Refused
from txregistry.testing.drivers import driver_suite


def on_swift(test: SynchronousTestCase) -> IStorageDriver:
    return make_on(shared_swift(), test)


class S3OverSwift(
    WaitingCase,
    driver_suite(on_swift, is_tree=False, many=60),  # type: ignore[misc]
):
    """The contract of storage drivers, on Swift."""


class SwiftTests(test_s3.S3Tests):
    """What clients see of a registry on Swift."""

    def shared_store(self) -> ObjectStore:
        return shared_swift()


class SwiftFaultTests(test_s3.S3FaultTests):
    """What clients see when Swift fails."""

    def shared_store(self) -> ObjectStore:
        return shared_swift()


class SwiftLimitTests(test_s3.S3Case):
    """What docs/object-storage.md says of Swift, and that it checks signatures."""

    def shared_store(self) -> ObjectStore:
        return shared_swift()

    async def test_most_parts(self) -> None:
        """As it is installed, it takes part 1000 and refuses the next one."""
        await self.bucket()
        parts, sha256 = self.driver._parts.multiparts, sha(b"x")[7:]
        upload_id = await parts.begin("k")
        await parts.send("k", upload_id, 1000, [b"x"], sha256)
        done = parts.send("k", upload_id, 1001, [b"x"], sha256)
        refused = await self.assertFailure(done, Refused)
        self.assertEqual(refused.failed.code, "InvalidArgument")

    async def test_no_encryption(self) -> None:
        """It refuses to encrypt, with its reason."""
        await self.bucket()
        driver = self.another(encrypt=True)
        error = await self.assertFailure(driver.put("/f", b"x"), DriverError)
        self.assertIn("NotImplemented", str(error))

    async def test_wrong_secret(self) -> None:
        """A question that is signed with another secret is refused."""
        await self.bucket()
        await self.driver.put("/f", b"x")
        driver = self.another(secretkey="another")
        error = await self.assertFailure(driver.get("/f"), DriverError)
        self.assertIn("403 SignatureDoesNotMatch", str(error))

    def another(self, **s3: Any) -> S3Driver:
        """Make a driver on the same bucket that is set otherwise."""
        section = self.store.section(self.name, **s3)
        driver = make_s3(section, InlineDisk(), reactor)
        driver.connect(reactor)
        self.addCleanup(driver.disconnect)
        return driver
