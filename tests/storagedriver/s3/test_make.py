"""How the driver is made."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.driver import (
    DriverError,
    IConnected,
    IPruner,
    IStorageDriver,
    IURLProvider,
)
from txregistry.storagedriver import maker
from txregistry.storagedriver.s3.make import make_s3

SECTION = {"bucket": "b", "region": "r", "accesskey": "a", "secretkey": "s"}


class MakeTests(SynchronousTestCase):
    """A section, and a driver."""

    def test_made(self) -> None:
        """It is made without asking anybody, and says so if it cannot ask."""
        driver = make_s3(SECTION, InlineDisk(), Clock())
        for interface in (IStorageDriver, IPruner, IURLProvider, IConnected):
            verifyObject(interface, driver)
        self.assertTrue(driver.is_shared)
        clock: Clock = driver._clock  # type: ignore[assignment]
        done = driver.get("/a")
        clock.pump([5] * 20)
        error = self.failureResultOf(done, DriverError).value
        self.assertEqual(error.reason, "not connected yet")
        self.successResultOf(driver.disconnect())

    def test_without_botocore(self) -> None:
        """Without the package it is told which one to install."""

        def missing(name: str) -> None:
            raise ModuleNotFoundError("no", name="botocore.auth")

        self.patch(maker, "import_module", missing)
        error = self.assertRaises(ValueError, maker.s3, SECTION, InlineDisk(), Clock())
        self.assertIn("install txregistry[s3]", str(error))
