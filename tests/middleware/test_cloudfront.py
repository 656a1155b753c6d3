"""Clients that read from CloudFront."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.locating import STORE, LocatingDriver
from tests.middleware.services import services
from tests.middleware.test_signing import pem, verify
from txregistry.flow.wrapper import Wrapper
from txregistry.interfaces.driver import (
    FileRequest,
    IObjectKeys,
    IStorageDriver,
    IURLProvider,
)
from txregistry.interfaces.middleware import IStorageMiddleware
from txregistry.middleware.aws import AwsAddresses
from txregistry.middleware.cloudfront import CloudFront, make
from txregistry.middleware.signing import Signer
from txregistry.storagedriver.inmemory import MemoryDriver

NOW = 1_700_000_000


@implementer(IObjectKeys)
class Bucket(Wrapper):
    def key(self, path: str) -> str:
        return f"root{path}"


class CloudFrontTests(SynchronousTestCase):
    """The middleware ``cloudfront``."""

    def setUp(self) -> None:
        self.clock, self.started = Clock(), []
        self.clock.advance(NOW)
        self.key = Path(self.mktemp())
        self.key.write_bytes(pem())

    def make(self, **changes: Any) -> IStorageMiddleware:
        options: dict[str, Any] = {
            "baseurl": "cdn.example",
            "privatekey": str(self.key),
            "keypairid": "PK1",
            "duration": 1200.0,
            "ipfilteredby": "none",
            "awsregion": "",
            "iprangesurl": "https://ranges.example/",
            "updatefrequency": 3600.0,
        }
        made = make({**options, **changes}, services(self.clock, self.started))
        verifyObject(IStorageMiddleware, made)
        return made

    def url(self, driver: Any, made: Any, address: str = "192.0.2.1") -> str | None:
        wrapped = made.wrap(driver=driver)
        verifyObject(IStorageDriver, wrapped)
        verifyObject(IURLProvider, wrapped)
        asked = wrapped.url(path="/docker/x", request=FileRequest("GET", address))
        return self.successResultOf(asked)

    def test_signed(self) -> None:
        """Each URL is good for its duration from now."""
        found = verify(self.url(MemoryDriver(self.clock), self.make()))
        self.assertEqual(found, ("https://cdn.example/docker/x", NOW + 1200, "PK1"))
        self.clock.advance(60)
        found = verify(self.url(MemoryDriver(self.clock), self.make(duration=60.0)))
        self.assertEqual(found[1], NOW + 120)

    def test_places(self) -> None:
        """The path follows the URL; of a bucket, the key that the object has there."""
        made = self.make(baseurl="http://cdn.example/a/")
        url, _, _ = verify(self.url(MemoryDriver(self.clock), made))
        self.assertEqual(url, "http://cdn.example/a/docker/x")
        url, _, _ = verify(self.url(Bucket(MemoryDriver(self.clock)), made))
        self.assertEqual(url, "http://cdn.example/a/root/docker/x")

    def test_nearby(self) -> None:
        """Who is nearby reads from the bucket, or through us if that has no URL."""
        signer = Signer.load(pem(), "PK1")
        near = CloudFront("https://cdn/", signer, 60.0, {"10.0.0.1"}, self.clock)
        driver = LocatingDriver(self.clock)
        expected = f"{STORE}/docker/x?signed"
        self.assertEqual(self.url(driver, near, "10.0.0.1"), expected)
        self.assertIsNone(self.url(MemoryDriver(self.clock), near, "10.0.0.1"))
        verify(self.url(driver, near, "10.0.0.2"))

    def test_list(self) -> None:
        """The list is read only where it is asked for, once the daemon has started."""
        self.make()
        self.assertEqual(self.started, [])
        self.make(ipfilteredby="aws")
        self.make(ipfilteredby="awsregion", awsregion="EU-south-1, us-east-1,")
        every, some = self.started
        self.assertIsInstance(every, AwsAddresses)
        self.assertEqual(every._regions, frozenset())
        self.assertEqual(some._regions, {"eu-south-1", "us-east-1"})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_refused(self) -> None:
        """What cannot be used is told, with its key."""
        filtered = {"ipfilteredby": "aws"}
        for key, changes in (
            ("baseurl", {"baseurl": ""}),
            ("baseurl", {"baseurl": "ftp://cdn"}),
            ("baseurl", {"baseurl": "https://cdn/?a"}),
            ("duration", {"duration": 0.0}),
            ("ipfilteredby", {"ipfilteredby": "gcp"}),
            ("awsregion", {"ipfilteredby": "awsregion", "awsregion": " ,"}),
            ("iprangesurl", {**filtered, "iprangesurl": "x"}),
            ("updatefrequency", {**filtered, "updatefrequency": 1.0}),
            ("privatekey", {"privatekey": __file__}),
        ):
            error = self.assertRaises(ValueError, lambda c=changes: self.make(**c))
            self.assertTrue(str(error).startswith(f"options.{key}: "), error)
        error = self.assertRaises(OSError, lambda: self.make(privatekey="/nowhere"))
        self.assertIn("options.privatekey: cannot be read: /nowhere", str(error))
