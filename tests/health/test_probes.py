"""What health checks look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from treq.client import HTTPClient
from twisted.internet.defer import Deferred, fail
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from tests.reactors import MemoryReactorClock
from txregistry.health.checks import Check
from txregistry.health.probes import (
    Unhealthy,
    file_probe,
    http_probe,
    storage_probe,
    tcp_probe,
)
from txregistry.interfaces.driver import DriverError, PathNotFound
from txregistry.storagedriver.inmemory import MemoryDriver
from txregistry.testing.wire import Wire


class Answers(Resource):
    """A server that answers as it is told to, and writes down what it was asked."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.status: int | None = 200
        self.asked: list[Any] = []

    def render(self, request: Any) -> Any:
        self.asked.append(request)
        if self.status is None:
            return NOT_DONE_YET
        request.setResponseCode(self.status)
        request.setHeader("Location", "http://elsewhere.example/")
        return b""


class ProbeTests(SynchronousTestCase):
    """What can be looked at."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.server = Answers()
        self.wire = Wire(Site(self.server, reactor=self.clock), self.clock)

    def look(self, status: int = 200, headers: Any = None) -> Deferred[None]:
        client = HTTPClient(self.wire)
        url = "http://down.example/health?x=1"
        found = http_probe(client, url, headers or {}, status)()
        for _ in range(10):
            self.wire.pump()
            self.clock.advance(0.01)
        return found

    def test_file(self) -> None:
        """A file that is there takes this process out of use."""
        path = Path(self.mktemp())
        probe = file_probe(str(path))
        self.successResultOf(probe())
        path.write_text("drain")
        self.failureResultOf(probe(), Unhealthy)
        path.unlink()
        self.successResultOf(probe())

    def test_http(self) -> None:
        """A URL is asked for its head, with the headers that are wished for."""
        self.successResultOf(self.look(headers={"X-Y": ["a", "b"]}))
        (asked,) = self.server.asked
        self.assertEqual((asked.method, asked.uri), (b"HEAD", b"/health?x=1"))
        given = asked.requestHeaders.getRawHeaders("X-Y")
        self.assertEqual(given, ["a", "b"])

    def test_http_status(self) -> None:
        """Another status than the one expected is a failure that names it."""
        for status, expected in ((500, 200), (200, 204), (404, 200)):
            self.server.status = status
            error = self.failureResultOf(self.look(expected), Unhealthy)
            self.assertIn(str(status), str(error.value))

    def test_http_expected_failure(self) -> None:
        """Any status may be the one expected; a redirect is not followed."""
        for status in (401, 503, 302):
            self.server.status = status
            self.successResultOf(self.look(status))
        self.assertEqual(len(self.server.asked), 3)

    def test_http_refused(self) -> None:
        """A server that is not there is a failure."""
        self.wire.refused = Refused()
        self.failureResultOf(self.look(), Refused)

    def test_http_given_up(self) -> None:
        """A probe that is given up leaves no connection."""
        self.server.status = None
        check = Check(
            "http",
            http_probe(HTTPClient(self.wire), "http://x.example/", {}, 200),
            10.0,
            1,
            1.0,
            self.clock,
        )
        looked = check.look()
        self.wire.pump()
        self.clock.advance(1.5)
        self.wire.pump()
        self.successResultOf(looked)
        self.assertTrue(check.problem)
        self.assertEqual(self.wire.open_connections, 0)

    def test_http_leaves_nothing(self) -> None:
        """A probe that was answered leaves no connection that grows old."""
        for _ in range(5):
            self.successResultOf(self.look())
        self.assertLessEqual(self.wire.open_connections, 1)

    def tcp(self) -> tuple[MemoryReactorClock, Deferred[None]]:
        reactor = MemoryReactorClock()
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", 4000)
        return reactor, tcp_probe(endpoint)()

    def test_tcp(self) -> None:
        """A port that takes a connection is well, and the connection is closed."""
        reactor, found = self.tcp()
        reactor.advance(1)
        host, port, factory, _, _ = reactor.tcpClients[0]
        self.assertEqual((host, port), ("127.0.0.1", 4000))
        protocol = factory.buildProtocol(None)
        closed: list[bool] = []

        class Transport:
            def loseConnection(self) -> None:
                closed.append(True)

        protocol.makeConnection(Transport())
        self.successResultOf(found)
        self.assertEqual(closed, [True])

    def test_tcp_refused(self) -> None:
        """A port that refuses is a failure."""
        reactor, found = self.tcp()
        reactor.advance(1)
        factory = reactor.tcpClients[0][2]
        factory.clientConnectionFailed(None, Refused())
        self.failureResultOf(found)

    def test_storage(self) -> None:
        """Storage that answers is well, also while it is empty."""
        driver = MemoryDriver(self.clock)
        self.successResultOf(storage_probe(driver)())
        self.successResultOf(driver.put("/a", b"x"))
        self.successResultOf(storage_probe(driver)())

    def test_storage_that_fails(self) -> None:
        """Storage that is not there any more is a failure; an empty root is none."""

        class Driver:
            error: Exception

            def stat(self, path: str) -> Deferred[None]:
                self.path = path
                return fail(self.error)

        driver: Any = Driver()
        driver.error = PathNotFound("/", "test")
        self.successResultOf(storage_probe(driver)())
        self.assertEqual(driver.path, "/")
        driver.error = DriverError("/", "test")
        self.failureResultOf(storage_probe(driver)(), DriverError)
