"""The addresses of AWS, on a clock."""

from __future__ import annotations

import json

from treq.client import HTTPClient
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from txregistry.flow.disk import InlineDisk
from txregistry.middleware import aws
from txregistry.middleware.aws import AwsAddresses
from txregistry.testing.wire import Wire


class Published(Resource):
    """The list as it stands now; ``None`` to leave whoever asks alone."""

    isLeaf = True
    document: bytes | None = b""
    asked = 0

    def publish(self, *networks: str) -> None:
        entries = [
            {"ip_prefix": network, "region": "US-EAST-1"} for network in networks
        ]
        self.document = json.dumps({"prefixes": entries}).encode()

    def render_GET(self, request):
        self.asked += 1
        return NOT_DONE_YET if self.document is None else self.document


class AwsCase(SynchronousTestCase):
    """A list that is read every hour."""

    regions: frozenset[str] = frozenset()

    def setUp(self) -> None:
        self.clock, self.published = Clock(), Published()
        self.published.publish("10.0.0.0/8")
        self.wire = Wire(Site(self.published, reactor=self.clock), self.clock)
        self.addresses = AwsAddresses(
            "http://ranges.example/",
            self.regions,
            3600.0,
            HTTPClient(self.wire),
            self.clock,
            InlineDisk().run,
        )
        self.addCleanup(self.stop)

    def stop(self) -> None:
        """Stop, and look that nothing is left."""
        if self.addresses.running:
            self.addresses.stopService()
        self.pass_time(0)
        named = [str(call) for call in self.clock.getDelayedCalls()]
        self.assertEqual([name for name in named if "AwsAddresses" in name], [])

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        while self.wire.pump():
            pass

    def start(self) -> None:
        self.addresses.startService()
        self.pass_time(0)


class AwsTests(AwsCase):
    """Read at the start, and now and then."""

    def test_refreshed(self) -> None:
        """Nobody is within AWS before the list was read; then it is kept up to date."""
        self.assertNotIn("10.1.2.3", self.addresses)
        self.start()
        self.assertIn("10.1.2.3", self.addresses)
        self.published.publish("11.0.0.0/8")
        self.pass_time(3599)
        self.assertIn("10.1.2.3", self.addresses)
        self.pass_time(1)
        self.assertNotIn("10.1.2.3", self.addresses)
        self.assertIn("11.1.2.3", self.addresses)

    def test_failure_keeps_the_old(self) -> None:
        """A list that cannot be had or read changes nothing; soon it is read again."""
        self.start()
        self.published.document = b"<html>"
        self.pass_time(3600)
        self.assertIn("10.1.2.3", self.addresses)
        self.wire.refused = Refused()
        self.pass_time(300)
        self.wire.refused = None
        self.patch(aws, "MAX_BYTES", 10)
        self.published.publish("11.0.0.0/8")
        self.pass_time(300)
        self.assertIn("10.1.2.3", self.addresses)
        self.patch(aws, "MAX_BYTES", 1000)
        self.pass_time(300)
        self.assertIn("11.1.2.3", self.addresses)

    def test_hanging(self) -> None:
        """One that never comes is given up, and asked for again."""
        self.published.document = None
        self.start()
        self.pass_time(aws.SECONDS)
        self.published.publish("10.0.0.0/8")
        self.pass_time(300)
        self.assertIn("10.1.2.3", self.addresses)

    def test_stopped(self) -> None:
        """A stop does not wait for a list that is under way."""
        self.published.document = None
        self.start()
        self.addresses.stopService()
        self.pass_time(4000)
        self.assertEqual(self.published.asked, 1)


class RegionTests(AwsCase):
    """Some regions only."""

    regions = frozenset(["eu-south-1"])

    def test_another_region(self) -> None:
        """An address of another region is none."""
        self.start()
        self.assertNotIn("10.1.2.3", self.addresses)


class NamedRegionTests(AwsTests):
    """One region, whose addresses these are."""

    regions = frozenset(["us-east-1"])
