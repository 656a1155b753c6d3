"""Bodies that are in memory."""

from __future__ import annotations

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IBodyProducer
from zope.interface.verify import verifyObject

from txregistry.flow.bytes_body import SmallBody


class SmallBodyTests(SynchronousTestCase):
    """A body that is written at once."""

    def test_written_at_once(self) -> None:
        """All of it is written before ``startProducing`` returns, and it has fired."""
        body, consumer = SmallBody(b"content"), StringTransport()
        done = body.startProducing(consumer)
        self.assertEqual((body.length, consumer.value()), (7, b"content"))
        self.assertIsNone(self.successResultOf(done))
        self.assertIsNone(consumer.producer)

    def test_sent_again(self) -> None:
        """A request that is repeated sends the same body once more."""
        body, consumer = SmallBody(b"xy"), StringTransport()
        for _ in range(2):
            self.successResultOf(body.startProducing(consumer))
        self.assertEqual(consumer.value(), b"xyxy")

    def test_contract(self) -> None:
        """It is what Twisted's agents take, and does not show its bytes."""
        body = SmallBody(b"secret")
        verifyObject(IBodyProducer, body)
        self.assertNotIn("secret", repr(body))
