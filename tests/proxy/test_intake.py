"""Bytes of the upstream on their way into a growing file."""

from __future__ import annotations

from unittest import mock

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.flow.shared_rate import SharedRate
from txregistry.proxy.intake import Intake
from txregistry.proxy.pacing import PacedBody


class Growing:
    """A file whose bytes can be read when a test says so."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.data = b""
        self.flushes: list[Deferred[None]] = []
        self.producer: object = None

    def registerProducer(self, producer: object, streaming: bool) -> None:
        self.producer = (producer, streaming)

    def unregisterProducer(self) -> None:
        self.producer = None

    def write(self, data: bytes) -> None:
        self.data += data

    def flush(self) -> Deferred[None]:
        self.flushes.append(Deferred())
        return self.flushes[-1]

    def flushed(self, size: int) -> None:
        """Let the first flush end, after which so much can be read."""
        self.size = size
        self.flushes.pop(0).callback(None)


class IntakeTests(SynchronousTestCase):
    """What passes, and who is told."""

    def make(self, size: int = 0, skip: int = 0, rate: float = 0.0) -> Intake:
        self.file = Growing(size)
        self.progress = 0
        self.skipped: list[int] = []
        self.clock = Clock()
        self.pace = PacedBody(SharedRate(self.clock, rate), lambda _: None)
        self.intake = Intake(
            self.file, skip, self.progressed, self.skipped.append, self.pace
        )
        return self.intake

    def progressed(self) -> None:
        self.progress += 1

    def test_provides_the_interface(self) -> None:
        """It is a consumer."""
        verifyObject(IConsumer, self.make())

    def test_producer(self) -> None:
        """The file pauses the upstream itself."""
        intake, producer = self.make(), object()
        intake.registerProducer(producer, True)
        self.assertEqual(self.file.producer, (self.pace, True))
        intake.unregisterProducer()
        self.assertIsNone(self.file.producer)

    def test_pace(self) -> None:
        """All that comes over the wire counts, also what is there already."""
        intake, producer = self.make(size=40, skip=40, rate=100.0), mock.Mock()
        intake.registerProducer(producer, True)
        for _ in range(2):
            intake.write(b"x" * 30)
        producer.pauseProducing.assert_called_once_with()
        self.clock.advance(1.0)
        producer.resumeProducing.assert_called_once_with()

    def test_written(self) -> None:
        """All of it is, and counted; readers are told when it can be read."""
        intake = self.make()
        intake.write(b"abc")
        self.assertEqual((self.progress, len(self.file.flushes)), (0, 1))
        self.file.flushed(3)
        self.assertEqual((self.progress, self.file.flushes), (1, []))
        self.assertEqual((self.file.data, intake.received), (b"abc", 3))

    def test_one_flush_at_a_time(self) -> None:
        """What comes meanwhile has one more, and only if it is not there yet."""
        intake = self.make()
        for data in (b"abc", b"def", b"ghi"):
            intake.write(data)
        self.assertEqual(len(self.file.flushes), 1)
        self.file.flushed(6)
        self.assertEqual((self.progress, len(self.file.flushes)), (1, 1))
        self.file.flushed(9)
        self.assertEqual((self.progress, len(self.file.flushes)), (2, 0))
        intake.write(b"j")
        self.assertEqual(len(self.file.flushes), 1)

    def test_resumed(self) -> None:
        """A file that has something already is complete with what is new."""
        intake = self.make(size=100)
        intake.write(b"abc")
        self.file.flushed(103)
        self.assertEqual((self.progress, self.file.flushes), (1, []))

    def test_beginning_that_is_there(self) -> None:
        """It is passed over, wherever pieces end, and whoever waits is told how far."""
        intake = self.make(size=5, skip=5)
        for data in (b"abc", b"de", b"fg", b"h"):
            intake.write(data)
        self.assertEqual(self.file.data, b"fgh")
        self.assertEqual((intake.received, self.skipped), (8, [3, 5]))
        self.file.flushed(8)
        self.assertEqual(self.file.flushes, [])

    def test_beginning_within_a_piece(self) -> None:
        """Only the end of the piece is new."""
        intake = self.make(size=5, skip=5)
        intake.write(b"abcdefg")
        self.assertEqual((self.file.data, self.skipped), (b"fg", []))
        self.file.flushed(7)
        self.assertEqual(self.file.flushes, [])

    def test_disk_that_fails(self) -> None:
        """Nobody is told of progress; the next piece asks the disk again."""
        intake = self.make()
        intake.write(b"abc")
        self.file.flushes.pop(0).errback(Failure(OSError()))
        self.assertEqual(self.progress, 0)
        intake.write(b"def")
        self.assertEqual(len(self.file.flushes), 1)
        self.file.flushed(6)
        self.assertEqual(self.progress, 1)
