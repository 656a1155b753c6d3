"""Content between the lines of the control socket."""

from __future__ import annotations

import json
from typing import Any

import attrs
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IConsumer, IPushProducer
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from txregistry.admin.content import (
    STALL_SECONDS,
    GivingCommand,
    IncomingContent,
    TakingCommand,
    WatchedConsumer,
)
from txregistry.admin.control import ALIVE_SECONDS, ControlFactory
from txregistry.flow.streams import (
    BoundedConsumer,
    ChunkProducer,
    ConsumerStopped,
)
from txregistry.interfaces.commands import CommandRefused
from txregistry.interfaces.files import IFileReader
from txregistry.interfaces.transfers import IIncomingBody


@implementer(IFileReader)
@attrs.define(eq=False)
class Held:
    """Content in memory, of which a piece may have to be waited for."""

    content: bytes
    size: int
    rest: Deferred[bytes] | None = None
    is_closed: bool = False

    def read(
        self, consumer: IConsumer, offset: int = 0, size: int | None = None
    ) -> Deferred[None]:
        return ChunkProducer(self._piece, consumer, 0, self.size).start()

    def _piece(self, offset: int, size: int) -> Deferred[bytes]:
        if offset and self.rest is not None:
            return self.rest
        return succeed(self.content[offset : offset + min(size, 4)])

    def close(self) -> None:
        self.is_closed = True


class ContentCase(SynchronousTestCase):
    """A daemon that gives and takes."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.reader = Held(b"bytes\n{}\n", 9)
        verifyObject(IFileReader, self.reader)
        self.refusal: Exception | None = None
        self.consumer: Any = BoundedConsumer(100)
        self.bodies: list[Any] = []
        commands = {
            "give": GivingCommand(self.give),
            "take": TakingCommand(lambda options: options["size"], self.take),
        }
        factory = ControlFactory(commands, self.clock)
        self.protocol = factory.buildProtocol(None)
        self.transport = StringTransportWithDisconnection()
        self.transport.abortConnection = self.transport.loseConnection
        self.transport.protocol = self.protocol
        self.protocol.makeConnection(self.transport)

    def give(self, who: object, options: object) -> Deferred[Any]:
        return fail(self.refusal) if self.refusal else succeed(self.reader)

    def take(self, who: object, options: object, body: Any) -> Deferred[Any]:
        verifyObject(IIncomingBody, body)
        self.bodies.append(body)
        if self.refusal:
            return fail(self.refusal)
        return body.read(self.consumer).addCallback(lambda _: {"taken": True})

    def ask(self, command: str, **options: Any) -> None:
        question = {"command": command, "options": options}
        self.protocol.dataReceived(json.dumps(question).encode() + b"\n")

    def answers(self) -> list[Any]:
        return [json.loads(line) for line in self.transport.value().splitlines()]


class GivingTests(ContentCase):
    """A size, the bytes, a report."""

    def test_given(self) -> None:
        """Content may look like a line, or have no end of one."""
        self.ask("give")
        self.assertEqual(
            self.transport.value(), b'{"content": 9}\nbytes\n{}\n{"report": {}}\n'
        )
        self.assertTrue(self.reader.is_closed)
        self.assertFalse(self.transport.connected)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_refused(self) -> None:
        """What is not there is told as by any command."""
        self.refusal = CommandRefused("not here")
        self.ask("give")
        self.assertEqual(self.answers(), [{"error": "not here"}])

    def test_cut(self) -> None:
        """Of content that ends early, the connection is cut: no line can say so."""
        self.reader.size = 10
        self.ask("give")
        # A connection that was cut sends nothing more; this transport keeps it.
        sent = b'{"content": 10}\nbytes\n{}\n'
        self.assertTrue(self.transport.value().startswith(sent))
        self.assertFalse(self.transport.connected)
        self.assertTrue(self.reader.is_closed)

    def test_client_that_leaves(self) -> None:
        """It is no failure."""
        self.reader.rest = Deferred()
        self.ask("give")
        self.transport.producer.stopProducing()
        self.assertTrue(self.reader.is_closed)
        self.assertIn(b"the client has left", self.transport.value())

    def test_slow_source(self) -> None:
        """While bytes are under way nothing comes between them."""
        self.reader.rest = Deferred()
        self.ask("give")
        self.clock.advance(ALIVE_SECONDS * 10)
        self.assertEqual(self.transport.value(), b'{"content": 9}\nbyte')
        self.reader.rest.callback(b"s\n{}\n")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_slow_client(self) -> None:
        """A client that takes nothing for long is given up."""
        self.reader.rest = Deferred()
        self.ask("give")
        producer = self.transport.producer
        producer.pauseProducing()
        self.clock.advance(STALL_SECONDS - 1)
        producer.resumeProducing()
        producer.pauseProducing()
        self.clock.advance(STALL_SECONDS - 1)
        self.assertTrue(self.transport.connected)
        self.clock.advance(1)
        self.assertFalse(self.transport.connected)
        self.assertTrue(self.reader.is_closed)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class TakingTests(ContentCase):
    """A wish, the bytes, a report."""

    def test_taken(self) -> None:
        """Content is sent when it is wanted, and may look like lines."""
        self.ask("take", size=9)
        self.assertEqual(self.answers(), [{"send": 9}])
        self.protocol.dataReceived(b"{}\n\n")
        self.clock.advance(ALIVE_SECONDS - 1)
        self.protocol.dataReceived(b"bytes" + b'{"command": "stop"}\n')
        self.assertEqual(self.consumer.content, b"{}\n\nbytes")
        self.assertEqual(self.answers()[-1], {"report": {"taken": True}})
        self.assertFalse(self.transport.connected)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nothing(self) -> None:
        """Content of no bytes is content."""
        self.ask("take", size=0)
        self.assertEqual(self.answers(), [{"send": 0}, {"report": {"taken": True}}])

    def test_refused(self) -> None:
        """What is refused is not sent."""
        self.refusal = CommandRefused("no room")
        self.ask("take", size=9)
        self.assertEqual(self.answers(), [{"error": "no room"}])

    def test_stopped(self) -> None:
        """A consumer that takes no more ends it; what still comes is dropped."""
        self.consumer = BoundedConsumer(3)
        self.ask("take", size=9)
        self.transport.disconnecting = False
        self.patch(self.transport, "loseConnection", lambda: None)
        self.protocol.dataReceived(b"bytes")
        self.protocol.dataReceived(b"{}\n{")
        self.assertEqual(len(self.answers()), 2)
        self.assertIn("error", self.answers()[-1])
        self.assertEqual(len(self.flushLoggedErrors(ConsumerStopped)), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_leaves(self) -> None:
        """A client that leaves in the middle ends it."""
        self.ask("take", size=9)
        self.protocol.dataReceived(b"byte")
        self.transport.loseConnection()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(len(self.flushLoggedErrors()), 1)

    def test_sends_nothing(self) -> None:
        """So does one that sends nothing for long, unless it is held back."""
        self.ask("take", size=9)
        (body,) = self.bodies
        body.pauseProducing()
        self.assertEqual(self.transport.producerState, "paused")
        self.clock.pump([ALIVE_SECONDS] * 100)
        self.assertTrue(self.transport.connected)
        body.resumeProducing()
        self.assertEqual(self.transport.producerState, "producing")
        self.clock.advance(STALL_SECONDS - 1)
        self.protocol.dataReceived(b"b")
        self.clock.advance(STALL_SECONDS - 1)
        self.assertTrue(self.transport.connected)
        self.clock.advance(1)
        self.assertFalse(self.transport.connected)
        self.flushLoggedErrors()

    def test_interfaces(self) -> None:
        """Both are what they say."""
        content = IncomingContent(
            0, lambda: None, self.transport, self.clock, lambda: None
        )
        verifyObject(IPushProducer, content)
        consumer = WatchedConsumer(self.transport, self.clock, lambda: None)
        verifyObject(IConsumer, consumer)
        verifyObject(IPushProducer, consumer)
