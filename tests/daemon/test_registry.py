"""The order of the stop: who has connected, and when they are let go."""

from __future__ import annotations

from twisted.internet.defer import fail, succeed
from twisted.internet.error import CannotListenError
from twisted.trial.unittest import SynchronousTestCase

from tests.web.raw import Line
from txregistry.daemon.registry import Registry
from txregistry.daemon.supervision import Supervision
from txregistry.daemon.systemd import Manager
from txregistry.testing.house import TestHouse

ASK = b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"


class Port:
    """Listens until it is told to stop."""

    listening = True

    def getHost(self) -> str:
        return "here"

    def stopListening(self) -> None:
        self.listening = False


class Endpoint:
    """Gives one port, at once."""

    def __init__(self) -> None:
        self.port = Port()

    def listen(self, factory: object) -> object:
        return succeed(self.port)


class StopTests(SynchronousTestCase):
    """A daemon that serves on two sockets, behind which is one site."""

    def setUp(self) -> None:
        self.house = TestHouse()
        supervision = Supervision(Manager(), self.house.clock)
        self.registry = Registry(10.0, self.fail, supervision)
        self.endpoints = [Endpoint(), Endpoint()]
        for endpoint in self.endpoints:
            self.registry.serve(self.house.registry, endpoint)
        self.registry.startService()

    def test_nobody(self) -> None:
        """Without a connection nothing is waited for."""
        self.successResultOf(self.registry.stopService())
        self.assertFalse(any(x.port.listening for x in self.endpoints))

    def test_just_connected(self) -> None:
        """Who has connected just before the stop is answered."""
        line = Line(self.house)
        self.house.pump()
        stopped = self.registry.stopService()
        self.assertFalse(any(x.port.listening for x in self.endpoints))
        self.house.clock.advance(0.4)
        line.send(ASK)
        self.assertIn(b"200 OK", line.received)
        self.house.clock.advance(0.1)
        self.house.pump()
        self.successResultOf(stopped)
        self.assertTrue(line.closed)

    def test_says_nothing(self) -> None:
        """Who says nothing is let go soon."""
        line = Line(self.house)
        self.house.pump()
        stopped = self.registry.stopService()
        self.assertNoResult(stopped)
        self.house.clock.advance(0.5)
        self.house.pump()
        self.successResultOf(stopped)
        self.assertTrue(line.closed)


class Taken:
    """An address that another process has."""

    def listen(self, factory: object) -> object:
        return fail(CannotListenError("127.0.0.1", 5001, OSError(98, "in use")))


class StartTests(SynchronousTestCase):
    """Listeners of which one cannot listen."""

    def start(self, can_be_spared: bool) -> tuple[Registry, Endpoint, list[str]]:
        house, gave_up = TestHouse(), list[str]()
        supervision = Supervision(Manager(), house.clock)
        registry = Registry(10.0, lambda: gave_up.append("it"), supervision)
        registry.serve(house.site, Taken(), can_be_spared)
        registry.serve(house.registry, endpoint := Endpoint())
        registry.startService()
        return registry, endpoint, gave_up

    def test_spared(self) -> None:
        """The others listen, and a stop finds nothing missing."""
        registry, endpoint, gave_up = self.start(True)
        self.assertEqual((gave_up, registry.why_busy), ([], ""))
        self.successResultOf(registry.stopService())
        self.assertFalse(endpoint.port.listening)

    def test_needed(self) -> None:
        """Without it the daemon does not start."""
        registry, _, gave_up = self.start(False)
        self.assertEqual(gave_up, ["it"])
        self.assertIn("not started", registry.why_busy)
