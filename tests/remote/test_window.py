"""The first bytes of a body, and no more."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IConsumer
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.flow.test_producer_relay import Reading
from tests.flow.test_streams import Quiet
from txregistry.flow.streams import BoundedConsumer, ConsumerStopped, ShortRead
from txregistry.remote.window import Window


class Body(Reading):
    """A body that a test gives piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self.done: Deferred[None] = Deferred()

    def deliver(self, consumer: IConsumer) -> Deferred[None]:
        self.consumer = consumer
        consumer.registerProducer(self, True)
        return self.done

    def stopProducing(self) -> None:
        super().stopProducing()
        self.end(Failure(ConsumerStopped()))

    def end(self, result: Failure | None = None) -> None:
        self.consumer.unregisterProducer()
        self.done.callback(result)


class WindowTests(SynchronousTestCase):
    """What passes, and when it ends."""

    def setUp(self) -> None:
        self.taken = BoundedConsumer(1000)
        self.body = Body()

    def fill(self, size: int | None, pieces: Sequence[bytes] = ()) -> Deferred[None]:
        self.window = Window(self.taken, size)
        done = self.window.fill(self.body.deliver)
        for piece in pieces:
            self.window.write(piece)
        return done

    def test_provides(self) -> None:
        """It is a consumer."""
        verifyObject(IConsumer, Window(self.taken, 1))

    def test_full(self) -> None:
        """Of the last piece only the beginning passes, and the body is stopped once."""
        done = self.fill(5, [b"abc", b"defg"])
        self.successResultOf(done)
        self.window.write(b"late")
        self.assertEqual(self.taken.content, b"abcde")
        self.assertEqual(self.body.told, ["stop"])
        self.assertIsNone(self.taken._producer)

    def test_exactly(self) -> None:
        """A body that is as long as the window is stopped as well."""
        self.successResultOf(self.fill(3, [b"abc"]))
        self.assertEqual(self.body.told, ["stop"])

    def test_unbounded(self) -> None:
        """Without a bound everything passes, to the end of the body."""
        done = self.fill(None, [b"abc", b"def"])
        self.assertNoResult(done)
        self.body.end()
        self.successResultOf(done)
        self.assertEqual((self.taken.content, self.body.told), (b"abcdef", []))

    def test_too_short(self) -> None:
        """A body that ends before the window is full is missing bytes."""
        done = self.fill(5, [b"abc"])
        self.body.end()
        error = self.failureResultOf(done, ShortRead).value
        self.assertEqual(str(error), "2 bytes are missing")

    def test_broken(self) -> None:
        """What breaks a body is told."""
        done = self.fill(5, [b"abc"])
        self.body.end(Failure(ConnectionError()))
        self.failureResultOf(done, ConnectionError)

    def test_consumer_that_stops(self) -> None:
        """A client that goes before it has all is no full window."""
        for size in (5, None):
            self.setUp()
            done = self.fill(size, [b"abc"])
            self.taken._producer.stopProducing()
            self.failureResultOf(done, ConsumerStopped)

    def test_failure_at_once(self) -> None:
        """A delivery that does not begin fails as it does."""
        window = Window(self.taken, 5)
        done = window.fill(lambda _: fail(ZeroDivisionError()))
        self.failureResultOf(done, ZeroDivisionError)
        self.failureResultOf(window.fill(lambda _: succeed(None)), ShortRead)

    def test_body_that_has_ended(self) -> None:
        """It is not stopped any more, whatever is still written."""
        done = self.fill(5, [b"abc"])
        self.body.end()
        self.window.write(b"de")
        self.failureResultOf(done, ShortRead)
        self.assertEqual(self.body.told, [])

    def test_empty_pieces(self) -> None:
        """They are not passed on, nor is what comes too late."""
        taken = Quiet()
        window = Window(taken, 3)
        for piece in (b"", b"abcd", b"e"):
            window.write(piece)
        self.assertEqual(taken.chunks, [b"abc"])

    def test_pauses(self) -> None:
        """The consumer speaks to the body itself."""
        self.fill(5)
        self.assertIs(self.taken._producer, self.body)
