"""The debug listener: no connection lasts for ever."""

from __future__ import annotations

from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.trial.unittest import SynchronousTestCase

from txregistry.daemon.debug import MOST_SECONDS, LimitedFactory


class LimitedTests(SynchronousTestCase):
    """How long a connection lasts."""

    def setUp(self) -> None:
        self.clock = Clock()
        factory = LimitedFactory(Factory.forProtocol(Protocol), self.clock)
        factory.doStart()
        self.addCleanup(factory.doStop)
        self.protocol = factory.buildProtocol(None)
        self.transport = StringTransportWithDisconnection()
        self.transport.protocol = self.protocol
        self.protocol.makeConnection(self.transport)

    def test_drip(self) -> None:
        """Whoever sends a byte now and then is cut off all the same."""
        for _ in range(int(MOST_SECONDS) - 1):
            self.clock.advance(1)
            self.protocol.dataReceived(b"x")
        self.assertTrue(self.transport.connected)
        self.clock.advance(1)
        self.assertFalse(self.transport.connected)

    def test_gone(self) -> None:
        """One that has ended leaves nothing with the clock."""
        self.transport.loseConnection()
        self.assertEqual(self.clock.getDelayedCalls(), [])
