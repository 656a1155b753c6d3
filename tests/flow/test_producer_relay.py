"""Several reads into one consumer."""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IConsumer, IPushProducer
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.flow.test_streams import Pausing
from txregistry.flow.producer_relay import ProducerRelay, open_relay
from txregistry.flow.streams import ConsumerStopped


class Reading:
    """The producer of one read; remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")

    def stopProducing(self) -> None:
        self.told.append("stop")


class RelayTests(SynchronousTestCase):
    """What the consumer says holds from one read to the next."""

    def setUp(self) -> None:
        self.consumer = Pausing()
        self.relay = ProducerRelay(self.consumer)
        self.relay.open()

    def test_provides_the_interfaces(self) -> None:
        """It is a consumer to one side and a producer to the other."""
        verifyObject(IConsumer, self.relay)
        verifyObject(IPushProducer, self.relay)

    def test_pause_outlasts_a_read(self) -> None:
        """The next read is paused before its first byte."""
        first, second = Reading(), Reading()
        self.relay.registerProducer(first, True)
        self.relay.write(b"x")
        self.assertEqual(first.told, ["pause"])
        self.relay.unregisterProducer()
        waiting = self.relay.ready()
        self.assertNoResult(waiting)
        self.relay.registerProducer(second, True)
        self.assertEqual(second.told, ["pause"])
        self.consumer.producer.resumeProducing()
        self.assertEqual(second.told, ["pause", "resume"])
        self.successResultOf(waiting)
        self.successResultOf(self.relay.ready())

    def test_consumer_that_goes(self) -> None:
        """Reads under way and to come are stopped, and whoever waits is told."""
        self.relay.pauseProducing()
        waiting = self.relay.ready()
        self.relay.stopProducing()
        self.failureResultOf(waiting, ConsumerStopped)
        self.failureResultOf(self.relay.ready(), ConsumerStopped)
        late = Reading()
        self.relay.registerProducer(late, True)
        self.assertEqual(late.told, ["stop"])

    def test_read_under_way_is_stopped(self) -> None:
        """The producer of the moment hears of it."""
        reading = Reading()
        self.relay.registerProducer(reading, True)
        self.relay.stopProducing()
        self.assertEqual(reading.told, ["stop"])

    def test_waiting_can_be_given_up(self) -> None:
        """A wait that is cancelled is forgotten."""
        self.relay.pauseProducing()
        waiting = self.relay.ready()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.relay.resumeProducing()

    def test_shut(self) -> None:
        """At the end nothing is registered."""
        self.relay.close()
        self.assertIsNone(self.consumer.producer)
        relayed = open_relay(self.consumer)
        self.assertIs(self.consumer.producer, relayed.relay)
        relayed.relay.close()
        self.assertIsNone(self.consumer.producer)
