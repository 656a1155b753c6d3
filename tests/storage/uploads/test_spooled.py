"""A little is held; more than that goes to a file, in order and under control."""

from __future__ import annotations

from unittest.mock import Mock

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.files import IFileWriter
from txregistry.storage.uploads.spooled import HELD_BYTES, SpooledFile
from txregistry.storagedriver.inmemory import MemoryDriver

PATH = "/a/data"


class SpooledFileTests(SynchronousTestCase):
    """One that is opened when told."""

    def setUp(self) -> None:
        self.driver = MemoryDriver(Clock())
        self.opening: list[Deferred[IFileWriter]] = []
        self.late = SpooledFile(self.open_file)
        self.producer = Mock()

    def open_file(self) -> Deferred[IFileWriter]:
        self.opening.append(Deferred())
        return self.opening[-1]

    def opened(self) -> None:
        """Let the one opening come to its end."""
        self.driver.writer(PATH).chainDeferred(self.opening.pop())
        self.assertEqual(self.opening, [])

    def stored(self) -> bytes:
        return self.successResultOf(self.driver.get(PATH))

    def test_provides(self) -> None:
        """It is a file like others."""
        verifyObject(IFileWriter, self.late)

    def test_little_is_held(self) -> None:
        """There is no file, and nothing to wait for."""
        self.late.write(b"x" * HELD_BYTES)
        self.successResultOf(self.late.flush())
        self.successResultOf(self.late.close())
        self.assertEqual(self.opening, [])
        self.assertEqual(self.late.size, HELD_BYTES)
        self.assertEqual(self.late.content, b"x" * HELD_BYTES)

    def test_more_goes_to_a_file(self) -> None:
        """In order, with the producer held back until the file is there."""
        self.late.registerProducer(self.producer, True)
        self.late.write(b"x" * HELD_BYTES)
        self.producer.pauseProducing.assert_not_called()
        self.late.write(b"y")
        self.producer.pauseProducing.assert_called_once_with()
        self.late.write(b"z")
        flushed = self.late.flush()
        self.assertNoResult(flushed)
        self.assertIsNone(self.late.content)
        self.opened()
        self.producer.resumeProducing.assert_called_once_with()
        self.successResultOf(flushed)
        self.late.write(b"!")
        self.successResultOf(self.late.close())
        self.assertEqual(self.stored(), b"x" * HELD_BYTES + b"yz!")

    def test_durable(self) -> None:
        """What is to be kept needs a file."""
        self.late.write(b"little")
        flushed = self.late.flush(durable=True)
        self.assertNoResult(flushed)
        self.opened()
        self.successResultOf(flushed)
        self.assertEqual(self.late.size, 6)
        self.successResultOf(self.late.commit())
        self.assertEqual(self.stored(), b"little")

    def test_it_cannot_be_opened(self) -> None:
        """The producer is stopped, and everybody is told why."""
        self.late.registerProducer(self.producer, True)
        self.late.write(b"x" * (HELD_BYTES + 1))
        flushed = self.late.flush()
        self.opening.pop().errback(DriverError("some", PATH, "full"))
        self.producer.stopProducing.assert_called_once_with()
        self.failureResultOf(flushed, DriverError)
        self.late.write(b"more")
        self.failureResultOf(self.late.flush(), DriverError)
        self.failureResultOf(self.late.close(), DriverError)
        self.successResultOf(self.late.cancel())
        other = Mock()
        self.late.unregisterProducer()
        self.late.registerProducer(other, True)
        other.stopProducing.assert_called_once_with()

    def test_cancel(self) -> None:
        """What is held is forgotten, or the file deleted, also one to come."""
        self.late.write(b"little")
        self.successResultOf(self.late.cancel())
        self.assertEqual(self.late.content, b"")
        self.late.write(b"x" * (HELD_BYTES + 1))
        cancelled = self.late.cancel()
        self.opened()
        self.successResultOf(cancelled)
        self.assertEqual(self.successResultOf(self.driver.list("/")), [])

    def test_pull_producer(self) -> None:
        """One that waits to be asked is asked by the file."""
        self.late.registerProducer(self.producer, False)
        self.producer.resumeProducing.assert_not_called()
        self.opened()
        self.producer.resumeProducing.assert_called_with()
