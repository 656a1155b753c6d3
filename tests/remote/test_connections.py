"""Connections that are kept, and questions that one of them swallows."""

from __future__ import annotations

import socket

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides

from txregistry.remote.connections import (
    IDLE_SECONDS,
    REUSED_TIMEOUT_SECONDS,
    KeepAlivePool,
    StaleConnectionAgent,
)


class Transport:
    """A TCP transport, as far as keeping it alive goes."""

    def __init__(self) -> None:
        self.socket = socket.socket()
        self.kept_alive = False
        directlyProvides(self, ITCPTransport)

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.kept_alive = enabled

    def getHandle(self) -> socket.socket:
        return self.socket


class Endpoint:
    """Connects to nobody, at once."""

    def __init__(self) -> None:
        self.transport = Transport()

    def connect(self, factory: Factory) -> Deferred[Protocol]:
        protocol = Protocol()
        protocol.transport = self.transport
        connected: Deferred[Protocol] = Deferred()
        connected.callback(protocol)
        return connected


class Back:
    """A connection after its answer."""

    state, aborted, lost = "QUIESCENT", 0, 0

    @property
    def transport(self) -> Back:
        return self

    def abort(self) -> Deferred[None]:
        self.aborted += 1
        done: Deferred[None] = Deferred()
        done.callback(None)
        return done

    def loseConnection(self) -> None:
        self.lost += 1


class KeepAlivePoolTests(SynchronousTestCase):
    """The pool."""

    def test_new_connections_are_watched_by_the_kernel(self) -> None:
        """A connection that has died is found out though nothing is sent."""
        pool, endpoint = KeepAlivePool(Clock(), 4), Endpoint()
        self.addCleanup(endpoint.transport.socket.close)
        self.successResultOf(pool.getConnection("x", endpoint))
        self.assertEqual(pool.reused, 0)
        self.assertTrue(endpoint.transport.kept_alive)
        handle = endpoint.transport.socket
        for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL):
            self.assertLess(handle.getsockopt(socket.IPPROTO_TCP, option), 30)

    def test_tls_as_well(self) -> None:
        """TLS lies on a connection like any other."""
        pool, endpoint = KeepAlivePool(Clock(), 4), Endpoint()
        self.addCleanup(endpoint.transport.socket.close)
        plain = endpoint.transport
        endpoint.transport = TLSMemoryBIOProtocol(Factory(), Protocol())
        endpoint.transport.transport = plain
        self.successResultOf(pool.getConnection("x", endpoint))
        idle = plain.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
        self.assertEqual((plain.kept_alive, idle), (True, 20))

    def test_retired(self) -> None:
        """None is kept any more: one that comes back is closed at once."""
        clock = Clock()
        pool = KeepAlivePool(clock, 4)
        back = Back()
        pool._putConnection("x", back)
        pool.retire()
        self.assertEqual(back.aborted, 1)
        late = Back()
        pool._putConnection("x", late)
        clock.advance(0)
        self.assertEqual((late.lost, clock.getDelayedCalls()), (1, []))
        self.assertFalse(pool.persistent)

    def test_limits(self) -> None:
        """As many are kept as may be open, and none for longer than a minute."""
        pool = KeepAlivePool(Clock(), 4)
        self.assertEqual(pool.maxPersistentPerHost, 4)
        self.assertLessEqual(pool.cachedConnectionTimeout, IDLE_SECONDS)


class Inner:
    """An agent whose questions are answered by hand."""

    def __init__(self) -> None:
        self.asked: list[Deferred[object]] = []
        self.reused = self.closed = 0
        self.keeps = True

    def request(self, *args: object) -> Deferred[object]:
        self.reused += self.keeps
        self.keeps = False
        self.asked.append(Deferred())
        return self.asked[-1]

    def close_idle(self) -> None:
        self.closed += 1


class RenewingTests(SynchronousTestCase):
    """Doubt about a kept connection."""

    def setUp(self) -> None:
        self.clock, self.inner = Clock(), Inner()
        self.agent = StaleConnectionAgent(self.inner, self.clock, self.inner)

    def ask(self) -> Deferred[object]:
        return self.agent.request(b"GET", b"http://x/")

    def test_silence_is_asked_again(self) -> None:
        """Once, on a new connection; what is kept beside it is closed."""
        asked = self.ask()
        self.clock.advance(REUSED_TIMEOUT_SECONDS)
        self.assertEqual((len(self.inner.asked), self.inner.closed), (2, 1))
        self.clock.advance(60)
        self.assertEqual(len(self.inner.asked), 2)
        self.inner.asked[1].callback("answer")
        self.assertEqual(self.successResultOf(asked), "answer")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_new_connection_is_waited_for(self) -> None:
        """A new connection is not doubted."""
        self.inner.keeps = False
        self.ask()
        self.clock.advance(60)
        self.assertEqual(len(self.inner.asked), 1)

    def test_answer_and_failure(self) -> None:
        """What comes in time is given as it is, and no timer is left."""
        for give in (
            lambda asked: asked.callback("answer"),
            lambda asked: asked.errback(ValueError()),
        ):
            self.setUp()
            asked = self.ask()
            give(self.inner.asked[0])
            asked.addErrback(lambda failure: failure.trap(ValueError))
            self.successResultOf(asked)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_whoever_leaves(self) -> None:
        """A question that is withdrawn is not asked again."""
        asked = self.ask()
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.clock.advance(60)
        self.assertEqual(len(self.inner.asked), 1)
