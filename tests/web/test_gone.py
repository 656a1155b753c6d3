"""What is told of a client that leaves in the middle."""

from __future__ import annotations

import io
import os
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tests.web.http.test_http2 import H2Client
from tests.web.raw import Line
from txregistry.flow.streams import BoundedConsumer, ConsumerStopped
from txregistry.interfaces.observe import Exchange
from txregistry.observe.access import format_combined
from txregistry.observe.logs import make_observer
from txregistry.observe.metrics import Observers
from txregistry.spec.digest import Digest
from txregistry.storagedriver.inmemory import MemoryDriver
from txregistry.testing.house import TestHouse
from txregistry.testing.upstream import Fault
from txregistry.testing.wire import Wire
from txregistry.web import router
from txregistry.web.http.body import BodyBroken
from txregistry.web.http.serving import make_serving
from txregistry.web.http.site import RegistrySite

CONTENT = os.urandom(700_000)
DIGEST = Digest.of(CONTENT)
UPLOAD = f"/v2/a/b/blobs/uploads/?digest={DIGEST}"
BLOB = f"/v2/a/b/blobs/{DIGEST}"


class GoneCase(SynchronousTestCase):
    """A registry that speaks both protocols, and its log."""

    def setUp(self) -> None:
        self.house = house = TestHouse()
        house.registry = RegistrySite(
            make_serving(house.registry.resource, house.recorder, cleartext_http2=True),
            house.clock,
        )
        house.registry_wire = Wire(house.registry, house.clock)
        self.log = io.StringIO()
        observer = make_observer("text", "info", {}, self.log)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    @property
    def last(self) -> Exchange:
        return self.house.recorder.exchanges[-1]

    def line(self, part: str) -> str:
        """Give the one line of the log that says so."""
        (found,) = (line for line in self.log.getvalue().splitlines() if part in line)
        return found

    def assertIsOfLast(self, line: str) -> None:
        self.assertIn(f" request={self.last.request_id}", line)

    def assertLast(self, method: str, status: int, sent: int) -> None:
        found = (self.last.method, self.last.status, self.last.sent_bytes)
        self.assertEqual(found, (method, status, sent))
        self.assertEqual(self.house.registry.active, set())


class UploadTests(GoneCase):
    """A client that leaves in the middle of its body."""

    def assertTold(self, received: int, announced: object) -> None:
        line = self.line("client disconnected")
        self.assertIn(f"after {received} of {announced} bytes of its body", line)
        self.assertIsOfLast(line)

    def test_http1(self) -> None:
        """It is logged as 499, and how much of the body had come."""
        for method in ("POST", "PUT"):
            line = Line(self.house)
            path = UPLOAD if method == "POST" else "/v2/a/b/manifests/v1"
            head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n"
            line.send(head.encode() + b"\r\n" + bytes(70_000))
            line.hang_up()
            self.assertLast(method, 499, 0)
            self.assertTold(70_000, 300_000)
            self.log.truncate(self.log.seek(0))

    def test_chunked(self) -> None:
        """So it is where the length was not announced, in the middle of a chunk."""
        for method in ("POST", "PUT"):
            line = Line(self.house)
            path = UPLOAD if method == "POST" else "/v2/a/b/manifests/v1"
            head = f"{method} {path} HTTP/1.1\r\nHost: x\r\n"
            head += "Transfer-Encoding: chunked\r\n\r\n4E20\r\n"
            line.send(head.encode() + bytes(10_000))
            line.hang_up()
            self.assertLast(method, 499, 0)
            self.assertTold(10_000, "an unknown number")
            self.log.truncate(self.log.seek(0))

    def test_http2(self) -> None:
        """So it is on a stream that is reset, and on a connection that goes."""
        for hangs_up in (False, True):
            client = H2Client(self.house)
            number, _ = client.ask("POST", UPLOAD, end=False)
            client.upload(number, bytes(50_000), end=False)
            client.turn(50)
            if hangs_up:
                client.hang_up()
            else:
                client.h2.reset_stream(number)
                client.flush()
            self.assertLast("POST", 499, 0)
            self.assertTold(50_000, "an unknown number")
            self.log.truncate(self.log.seek(0))

    def test_whole(self) -> None:
        """A client that sent all and goes before the answer has nothing told of it."""
        waiting: list[Deferred[None]] = []
        self.patch(MemoryDriver, "apply", lambda *_, **__: waits(waiting))
        line = Line(self.house)
        head = f"POST {UPLOAD} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(CONTENT)}"
        line.send(head.encode() + b"\r\n\r\n" + CONTENT)
        line.hang_up()
        self.assertLast("POST", 499, 0)
        self.assertNotIn("left after", self.log.getvalue())


class DownloadTests(GoneCase):
    """A client that leaves in the middle of its answer."""

    def setUp(self) -> None:
        super().setUp()
        self.house.send("POST", UPLOAD, CONTENT)

    def fill_window(self) -> tuple[H2Client, int]:
        client = H2Client(self.house)
        client.reads = False
        number, _ = client.ask("GET", BLOB)
        client.turn(100)
        return client, number

    def test_http2(self) -> None:
        """It is logged as 499, with the bytes that it had."""
        for hangs_up in (False, True):
            client, number = self.fill_window()
            if hangs_up:
                client.hang_up()
            else:
                client.h2.reset_stream(number)
                client.flush()
            self.assertLast("GET", 499, 65_535)

    def test_http2_that_is_done_but_for_frames(self) -> None:
        """So it is where all that is left was waiting for the client's window."""
        content = CONTENT[:80_000]
        digest = Digest.of(content)
        self.house.send("POST", f"/v2/a/b/blobs/uploads/?digest={digest}", content)
        before = len(self.house.recorder.exchanges)
        client = H2Client(self.house)
        client.reads = False
        client.ask("GET", f"/v2/a/b/blobs/{digest}")
        client.turn(100)
        self.assertEqual(len(self.house.recorder.exchanges), before)
        client.hang_up()
        self.assertLast("GET", 499, 65_535)

    def test_http2_to_the_end(self) -> None:
        """A client that leaves after all of it has come is none that left."""
        client, number = self.fill_window()
        client.read_again(number)
        client.hang_up()
        self.assertLast("GET", 200, len(CONTENT))

    def test_http1(self) -> None:
        """On HTTP/1.1 it is the same, here of a download that hangs."""
        blob = self.house.upstream.add_blob("c/d", CONTENT[::-1])
        fault = Fault("/blobs/", method="GET", cut_after=200_000, how="hang")
        self.house.upstream.faults.append(fault)
        asked = self.house.ask("GET", f"/v2/c/d/blobs/{blob}")
        for _ in range(20):
            self.house.pump()
            self.house.clock.advance(0.01)
        asked.addErrback(lambda _: None)
        (request,) = self.house.site.active
        request.channel.transport.loseConnection()
        self.house.pump()
        self.assertEqual((self.last.status, self.last.aborted), (499, True))
        self.assertGreater(self.last.sent_bytes, 0)
        self.assertLess(self.last.sent_bytes, 200_001)

    def test_chunked(self) -> None:
        """So it is where the length of the answer is not known."""
        blob = self.house.upstream.add_blob("c/d", CONTENT[::-1])
        fault = Fault(
            "/blobs/", method="GET", cut_after=200_000, how="hang", announce=-1
        )
        self.house.upstream.faults.append(fault)
        line = Line(self.house, self.house.wire)
        line.send(f"GET /v2/c/d/blobs/{blob} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        for _ in range(20):
            self.house.pump()
            self.house.clock.advance(0.01)
        line.hang_up()
        self.assertEqual((self.last.status, self.last.aborted), (499, True))
        self.assertGreater(self.last.sent_bytes, 0)
        self.assertLess(self.last.sent_bytes, 200_001)

    def test_seen_by_whoever_sends(self) -> None:
        """So it is where sending is what fails, before the connection is lost."""
        real = router.Router._run

        def run(this: router.Router, request: Any) -> Any:
            done = real(this, request)
            return done.addCallback(lambda _: fail(ConsumerStopped()))

        self.patch(router.Router, "_run", run)
        line = Line(self.house)
        line.send(f"GET {BLOB} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        self.assertLast("GET", 499, len(CONTENT))

    def test_upload_that_is_gone_on_with_elsewhere(self) -> None:
        """A connection whose upload another one takes over is cut; it has not left."""
        begun = self.house.send("POST", "/v2/a/b/blobs/uploads/").header("Location")
        path = (begun or "").partition("registry.example")[2]
        line = Line(self.house)
        head = f"PATCH {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n"
        line.send(head.encode() + bytes(1000))
        self.house.send("PATCH", path, b"x")
        (first,) = (e for e in self.house.recorder.exchanges if e.aborted)
        self.assertEqual((first.method, first.status), ("PATCH", 200))

    def test_our_own_breaking_off(self) -> None:
        """An answer that we break off is no client that left."""
        client, _ = self.fill_window()
        for request in list(self.house.registry.active):
            request.abort()
        client.turn(3)
        self.assertEqual((self.last.status, self.last.aborted), (200, True))

    def test_access_log(self) -> None:
        """The access log has both."""
        client, _ = self.fill_window()
        client.hang_up()
        line = format_combined(self.last, "now")
        self.assertIn(f'"GET {BLOB} HTTP/2" 499 65535 ', line)


def waits(waiting: list[Deferred[Any]]) -> Deferred[Any]:
    """Give what somebody has to wait for."""
    waiting.append(Deferred())
    return waiting[-1]


class Failing:
    """An observer that cannot write down what it is told."""

    def ended(self, exchange: Exchange) -> None:
        raise OSError("no space left on device")


class FailingObserverTests(SynchronousTestCase):
    """What cannot be logged is ended all the same."""

    def test_disconnects(self) -> None:
        """An upload whose client has gone is not held by anything."""
        house = TestHouse()
        house.registry = RegistrySite(
            make_serving(
                house.registry.resource, Observers((Failing(), house.recorder))
            ),
            house.clock,
        )
        house.registry_wire = Wire(house.registry, house.clock)
        line = Line(house)
        head = f"POST {UPLOAD} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"
        line.send(head.encode() + b"\r\nab")
        (request,) = house.registry.active
        line.hang_up()
        self.assertEqual(house.registry.active, set())
        self.failureResultOf(request.body.read(BoundedConsumer(9)), BodyBroken)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertEqual([one.status for one in house.recorder.exchanges], [499])
