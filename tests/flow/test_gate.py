"""Several reads into one consumer."""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IConsumer, IPushProducer
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.flow.test_flow import Pausing
from txregistry.flow.gate import Gate, open_passage
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


class GateTests(SynchronousTestCase):
    """What the consumer says holds from one read to the next."""

    def setUp(self) -> None:
        self.consumer = Pausing()
        self.gate = Gate(self.consumer)
        self.gate.open()

    def test_provides_the_interfaces(self) -> None:
        """It is a consumer to one side and a producer to the other."""
        verifyObject(IConsumer, self.gate)
        verifyObject(IPushProducer, self.gate)

    def test_pause_outlasts_a_read(self) -> None:
        """The next read is paused before its first byte."""
        first, second = Reading(), Reading()
        self.gate.registerProducer(first, True)
        self.gate.write(b"x")
        self.assertEqual(first.told, ["pause"])
        self.gate.unregisterProducer()
        waiting = self.gate.ready()
        self.assertNoResult(waiting)
        self.gate.registerProducer(second, True)
        self.assertEqual(second.told, ["pause"])
        self.consumer.producer.resumeProducing()
        self.assertEqual(second.told, ["pause", "resume"])
        self.successResultOf(waiting)
        self.successResultOf(self.gate.ready())

    def test_consumer_that_goes(self) -> None:
        """Reads under way and to come are stopped, and whoever waits is told."""
        self.gate.pauseProducing()
        waiting = self.gate.ready()
        self.gate.stopProducing()
        self.failureResultOf(waiting, ConsumerStopped)
        self.failureResultOf(self.gate.ready(), ConsumerStopped)
        late = Reading()
        self.gate.registerProducer(late, True)
        self.assertEqual(late.told, ["stop"])

    def test_read_under_way_is_stopped(self) -> None:
        """The producer of the moment hears of it."""
        reading = Reading()
        self.gate.registerProducer(reading, True)
        self.gate.stopProducing()
        self.assertEqual(reading.told, ["stop"])

    def test_waiting_can_be_given_up(self) -> None:
        """A wait that is cancelled is forgotten."""
        self.gate.pauseProducing()
        waiting = self.gate.ready()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.gate.resumeProducing()

    def test_shut(self) -> None:
        """At the end nothing is registered."""
        self.gate.shut()
        self.assertIsNone(self.consumer.producer)
        passage = open_passage(self.consumer)
        self.assertIs(self.consumer.producer, passage.gate)
        passage.gate.shut()
        self.assertIsNone(self.consumer.producer)
