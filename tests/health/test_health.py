"""Health checks: when they look, what counts, and the gate that they close."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from treq.client import HTTPClient
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site
from zope.interface.verify import verifyObject

from txregistry.auth.open import OpenAccess
from txregistry.auth.silly import SillyAccess
from txregistry.health.checks import Check, Health
from txregistry.health.probes import (
    Unhealthy,
    file_probe,
    http_probe,
    storage_probe,
    tcp_probe,
)
from txregistry.interfaces.driver import DriverError, PathNotFound
from txregistry.interfaces.health import IHealth
from txregistry.notifications.silent import NullSink
from txregistry.spec.gate import Gate
from txregistry.storagedriver.inmemory import MemoryDriver
from txregistry.testing.house import Got, TestHouse
from txregistry.testing.wire import Wire
from txregistry.web.api import Api, ApiSettings
from txregistry.web.http.site import RegistrySite

DIGEST = "sha256:" + "0" * 64


class Probed:
    """A probe that finds what it is told to, and counts."""

    def __init__(self) -> None:
        self.looks = 0
        self.error: Exception | None = None
        self.hanging: list[Deferred[None]] = []
        self.hangs = False
        self.cancelled = 0

    def __call__(self) -> Deferred[None]:
        self.looks += 1
        if self.hangs:
            self.hanging.append(Deferred(self.cancel))
            return self.hanging[-1]
        return succeed(None) if self.error is None else fail(self.error)

    def cancel(self, _: Deferred[None]) -> None:
        self.cancelled += 1


class CheckCase(SynchronousTestCase):
    """One check every ten seconds."""

    threshold = 3

    def setUp(self) -> None:
        self.clock = Clock()
        self.probe = Probed()
        self.check = Check("thing", self.probe, 10.0, self.threshold, 5.0, self.clock)
        self.health = Health((self.check,), self.clock)
        self.health.startService()
        self.addCleanup(self.stop)

    def stop(self) -> None:
        if self.health.running:
            self.health.stopService()

    def looks(self, times: int) -> None:
        """Let an interval pass, this many times."""
        for _ in range(times):
            self.clock.advance(10)


class CheckTests(CheckCase):
    """When a check counts."""

    def test_contract(self) -> None:
        """It tells whether all is well."""
        verifyObject(IHealth, self.health)

    def test_no_checks(self) -> None:
        """Without checks all is well."""
        health = Health((), self.clock)
        self.assertTrue(health.healthy)
        self.assertEqual(health.problems(), {})

    def test_first_look(self) -> None:
        """The first look is one interval after the start, and none before."""
        self.clock.advance(9.9)
        self.assertEqual(self.probe.looks, 0)
        self.clock.advance(0.2)
        self.assertEqual(self.probe.looks, 1)

    def test_healthy_until_it_has_looked(self) -> None:
        """Before the first look all is well."""
        self.probe.error = Unhealthy("broken")
        self.clock.advance(5)
        self.assertTrue(self.health.healthy)

    def test_every_interval(self) -> None:
        """It looks once per interval."""
        self.looks(7)
        self.assertEqual(self.probe.looks, 7)

    def test_threshold(self) -> None:
        """Only as many failures in a row as the threshold says count."""
        self.probe.error = Unhealthy("broken")
        self.looks(2)
        self.assertTrue(self.health.healthy)
        self.looks(1)
        self.assertFalse(self.health.healthy)
        self.assertEqual(self.health.problems(), {"thing": "broken"})

    def test_success_resets(self) -> None:
        """One success in between begins the count anew."""
        for error in (Unhealthy("a"), Unhealthy("b"), None, Unhealthy("c"), None):
            self.probe.error = error
            self.looks(1)
        self.probe.error = Unhealthy("d")
        self.looks(2)
        self.assertTrue(self.health.healthy)
        self.looks(1)
        self.assertFalse(self.health.healthy)

    def test_one_success_heals(self) -> None:
        """However long it failed, one success is enough."""
        self.probe.error = Unhealthy("broken")
        self.looks(20)
        self.probe.error = None
        self.looks(1)
        self.assertTrue(self.health.healthy)
        self.assertEqual(self.health.problems(), {})

    def test_timeout(self) -> None:
        """A probe that does not answer in time has failed, and is given up."""
        self.probe.hangs = True
        self.clock.advance(10)
        self.clock.advance(5)
        self.assertEqual(self.probe.cancelled, 1)
        self.looks(6)
        self.assertFalse(self.health.healthy)
        self.assertIn("5 s", self.health.problems()["thing"])

    def test_slow_probe_is_not_doubled(self) -> None:
        """No second look begins while one is under way."""
        slow = Check("slow", self.probe, 10.0, 1, 100.0, self.clock)
        self.health.stopService()
        self.health = Health((slow,), self.clock)
        self.health.startService()
        self.probe.hangs = True
        self.looks(5)
        self.assertEqual(self.probe.looks, 1)

    def test_late_answer(self) -> None:
        """An answer that comes after the time is over changes nothing."""
        self.probe.hangs = True
        self.clock.advance(10)
        self.clock.advance(5)
        self.assertTrue(self.probe.hanging[0].called)

    def test_raising_probe(self) -> None:
        """A probe that raises has failed, and the next look comes all the same."""
        raising = Check("raises", self.raises, 10.0, 1, 5.0, self.clock)
        self.health.stopService()
        self.health = Health((raising,), self.clock)
        self.health.startService()
        self.looks(3)
        self.assertEqual(self.health.problems(), {"raises": "boom"})
        self.assertEqual(self.probe.looks, 3)

    def raises(self) -> Deferred[None]:
        self.probe.looks += 1
        raise RuntimeError("boom")

    def test_error_without_text(self) -> None:
        """An error that says nothing is named by its kind."""
        self.probe.error = RuntimeError()
        self.looks(3)
        self.assertEqual(self.health.problems(), {"thing": "RuntimeError"})

    def test_several(self) -> None:
        """One check that fails is enough; the others are not named."""
        other = Probed()
        other.error = Unhealthy("gone")
        self.health.stopService()
        checks = (
            Check("well", Probed(), 10.0, 1, 5.0, self.clock),
            Check("ill", other, 10.0, 1, 5.0, self.clock),
        )
        self.health = Health(checks, self.clock)
        self.health.startService()
        self.looks(1)
        self.assertFalse(self.health.healthy)
        self.assertEqual(self.health.problems(), {"ill": "gone"})

    def test_stop(self) -> None:
        """A stopped service looks no more and leaves no timers."""
        self.looks(1)
        self.health.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.looks(3)
        self.assertEqual(self.probe.looks, 1)

    def test_stop_during_a_look(self) -> None:
        """A stop while a probe is under way gives it up and leaves no timers."""
        self.probe.hangs = True
        self.clock.advance(10)
        self.health.stopService()
        self.assertEqual(self.probe.cancelled, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_start_again(self) -> None:
        """A service that was stopped can be started again."""
        self.health.stopService()
        self.health.startService()
        self.looks(2)
        self.assertEqual(self.probe.looks, 2)


class ThresholdOfNoneTests(CheckCase):
    """The default threshold, which is nought."""

    threshold = 0

    def test_first_failure_counts(self) -> None:
        """A threshold of nought or one means that the first failure counts."""
        self.probe.error = Unhealthy("broken")
        self.looks(1)
        self.assertFalse(self.health.healthy)


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


class GateTests(SynchronousTestCase):
    """While a check fails, every request is answered 503."""

    def setUp(self) -> None:
        self.house = TestHouse()
        self.probe = Probed()
        check = Check("thing", self.probe, 10.0, 1, 5.0, self.house.clock)
        self.health = Health((check,), self.house.clock)
        self.health.startService()
        self.addCleanup(self.health.stopService)
        self.serve(OpenAccess())

    def serve(self, controller: Any) -> None:
        settings = ApiSettings(b"secret", gate=Gate(deletes=True))
        api = Api(self.house.local, settings, controller, NullSink(), self.health)
        house = self.house
        site = RegistrySite(api.resource(), house.clock, house.recorder)
        house.registry_wire = Wire(site, house.clock)

    def fail_check(self) -> None:
        self.probe.error = Unhealthy("broken")
        self.house.clock.advance(10)
        self.assertFalse(self.health.healthy)

    def assertClosed(self, got: Got, what: Any) -> None:
        self.assertEqual(got.status, 503, what)
        self.assertEqual(
            json.loads(got.body),
            {
                "errors": [
                    {
                        "code": "UNAVAILABLE",
                        "message": "service unavailable",
                        "detail": "health check failed: please see /debug/health",
                    }
                ]
            },
        )

    def test_every_route(self) -> None:
        """Every method of every route is refused, the root too."""
        self.fail_check()
        uploads = "/v2/a/b/blobs/uploads/"
        for method, path in (
            ("GET", "/"),
            ("GET", "/v2/"),
            ("GET", "/v2/_catalog"),
            ("GET", "/v2/a/b/tags/list"),
            ("GET", "/v2/a/b/manifests/latest"),
            ("PUT", "/v2/a/b/manifests/latest"),
            ("DELETE", "/v2/a/b/manifests/latest"),
            ("GET", f"/v2/a/b/blobs/{DIGEST}"),
            ("DELETE", f"/v2/a/b/blobs/{DIGEST}"),
            ("GET", f"/v2/a/b/referrers/{DIGEST}"),
            ("POST", uploads),
            ("GET", f"{uploads}x"),
            ("PATCH", f"{uploads}x"),
            ("PUT", f"{uploads}x?digest={DIGEST}"),
            ("DELETE", f"{uploads}x"),
        ):
            self.assertClosed(self.house.send(method, path), (method, path))

    def test_head(self) -> None:
        """HEAD gets the status without a body."""
        self.fail_check()
        for path in ("/", "/v2/", "/v2/a/b/manifests/latest"):
            got = self.house.send("HEAD", path)
            self.assertEqual((got.status, got.body), (503, b""), path)

    def test_before_access(self) -> None:
        """The gate closes before anybody is asked who they are."""
        self.serve(SillyAccess("r", "s"))
        self.assertEqual(self.house.send("GET", "/v2/").status, 401)
        self.fail_check()
        self.assertClosed(self.house.send("GET", "/v2/"), "silly")

    def test_opens_again(self) -> None:
        """When the check passes again, requests are answered as before."""
        self.assertEqual(self.house.send("GET", "/").status, 200)
        self.fail_check()
        self.assertEqual(self.house.send("GET", "/").status, 503)
        self.probe.error = None
        self.house.clock.advance(10)
        for path in ("/", "/v2/"):
            self.assertEqual(self.house.send("GET", path).status, 200)

    def test_nothing_is_changed(self) -> None:
        """What is refused has no effect."""
        before = self.house.paths()
        self.fail_check()
        self.house.send("POST", "/v2/a/b/blobs/uploads/")
        self.assertEqual(self.house.paths(), before)
