"""The driver's parts."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.disk import InlineDisk
from txregistry.storagedriver.s3.parts import Network, make_parts
from txregistry.storagedriver.s3.request import StoreUnreachable
from txregistry.storagedriver.s3.settings import read_settings

SECTION = {"bucket": "bkt", "region": "eu-west-1", "accesskey": "a", "secretkey": "s"}


class PartsTests(SynchronousTestCase):
    """How they go together."""

    def test_network(self) -> None:
        """Nothing is asked before there is a network."""
        network = Network(skip_verify=False)
        self.assertRaises(StoreUnreachable, network.agent)
        self.successResultOf(network.disconnect())
        network.connect(MemoryReactorClock())
        network.agent()
        self.successResultOf(network.disconnect())

    def test_urls(self) -> None:
        """Clients are sent to where the bucket is."""
        settings = read_settings({**SECTION, "loglevel": "debug"})
        parts = make_parts(settings, InlineDisk(), Clock(), lambda: 0.5)
        url = self.successResultOf(parts.signed_url("k", "GET", 60))
        self.assertTrue(url.startswith("https://bkt.s3.eu-west-1.amazonaws.com/k?"))
