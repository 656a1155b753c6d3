"""HTTP/2 without TLS, in memory: what is answered, and what a client may not do."""

from __future__ import annotations

import os
from typing import Any

import attrs
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    PingReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import StreamClosedError

from tests.web.http.limits import LimitCase
from tests.web.raw import Line
from txregistry.auth.silly import SillyAccess
from txregistry.spec.digest import Digest
from txregistry.testing.house import TestHouse
from txregistry.web.http.connections import ChannelLimits


@attrs.define(eq=False)
class Stream:
    """One exchange of HTTP/2."""

    headers: dict[str, str] = attrs.field(factory=dict)
    body: bytes = b""
    ended: bool = False
    reset: int | None = None

    @property
    def status(self) -> int:
        return int(self.headers.get(":status", 0))


class H2Client(Line):
    """A client that begins with HTTP/2, knowing that the server speaks it."""

    def __init__(self, house: TestHouse) -> None:
        self.h2 = H2Connection(H2Configuration(header_encoding="utf-8"))
        self.streams: dict[int, Stream] = {}
        self.gone: Any = None
        self.reads, self.pings = True, 0
        super().__init__(house)
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        self.transport.write(self.h2.data_to_send())
        self.house.pump()

    def dataReceived(self, data: bytes) -> None:
        for event in self.h2.receive_data(data):
            self.take(event)
        reply = self.h2.data_to_send()
        if reply:
            self.transport.write(reply)

    def take(self, event: Any) -> None:
        stream = self.streams.get(getattr(event, "stream_id", None) or 0)
        if isinstance(event, ConnectionTerminated):
            self.gone = event
        elif isinstance(event, PingReceived):
            self.pings += 1
        elif stream is None or isinstance(event, WindowUpdated):
            return
        elif isinstance(event, ResponseReceived):
            stream.headers = dict(event.headers)
        elif isinstance(event, DataReceived):
            stream.body += event.data
            if self.reads:
                self.h2.acknowledge_received_data(
                    event.flow_controlled_length, event.stream_id
                )
        elif isinstance(event, StreamEnded):
            stream.ended = True
        elif isinstance(event, StreamReset):
            stream.reset = int(event.error_code)

    def ask(
        self, method: str, path: str, *headers: tuple[str, str], end: bool = True
    ) -> tuple[int, Stream]:
        number = self.h2.get_next_available_stream_id()
        stream = self.streams[number] = Stream()
        pairs = [
            (":method", method),
            (":path", path),
            (":scheme", "http"),
            (":authority", "registry.example"),
        ]
        self.h2.send_headers(number, [*pairs, *headers], end_stream=end)
        self.flush()
        return number, stream

    def upload(self, number: int, content: bytes, end: bool = True) -> int:
        """Send a body as the windows allow; say how much of it was sent."""
        at, idle = 0, 0
        stream = self.streams[number]
        while at < len(content) and idle < 200 and stream.reset is None:
            room = min(
                self.h2.local_flow_control_window(number),
                self.h2.max_outbound_frame_size,
                len(content) - at,
            )
            if room > 0:
                try:
                    self.h2.send_data(number, content[at : at + room])
                except StreamClosedError:
                    break
                at, idle = at + room, 0
            else:
                idle += 1
                self.house.clock.advance(0.01)
            self.flush()
        if end and at == len(content) and stream.reset is None:
            self.h2.end_stream(number)
            self.flush()
        return at

    def settle(self, stream: Stream, seconds: float = 5.0) -> Stream:
        waited = 0.0
        while not stream.ended and stream.reset is None and waited < seconds:
            self.house.clock.advance(0.001)
            self.house.pump()
            waited += 0.001
        return stream

    def read_again(self, number: int) -> Stream:
        """Make room in a window that was filled, and read to the end."""
        stream, self.reads = self.streams[number], True
        self.h2.acknowledge_received_data(len(stream.body), number)
        self.flush()
        return self.settle(stream)

    def turn(self, times: int) -> None:
        for _ in range(times):
            self.house.clock.advance(0.001)
            self.house.pump()


class CleartextCase(LimitCase):
    """HTTP/2 without TLS, to a client that knows of it (RFC 9113, 3.3)."""

    options = {"cleartext_http2": True}
    limits = ChannelLimits(idle_seconds=60.0)

    def push(self, client: H2Client, content: bytes) -> tuple[str, Stream, int]:
        digest = str(Digest.of(content))
        path = f"/v2/a/b/blobs/uploads/?digest={digest}"
        number, stream = client.ask("POST", path, end=False)
        sent = client.upload(number, content)
        return digest, client.settle(stream), sent

    def fill_window(self, size: int) -> tuple[H2Client, int, bytes]:
        """Ask for a blob until the window is full, and read no further."""
        content = os.urandom(size)
        client = H2Client(self.house)
        digest, _, _ = self.push(client, content)
        client.reads = False
        number, stream = client.ask("GET", f"/v2/a/b/blobs/{digest}")
        client.turn(300)
        self.assertEqual(len(stream.body), 65_535)
        return client, number, content


class CleartextHttp2Tests(CleartextCase):
    """What is answered."""

    def test_get(self) -> None:
        """A request by HTTP/2 is answered by HTTP/2."""
        client = H2Client(self.house)
        _, stream = client.ask("GET", "/v2/")
        client.settle(stream)
        self.assertEqual((stream.status, stream.body), (200, b"{}"))
        version = stream.headers["docker-distribution-api-version"]
        self.assertEqual(version, "registry/2.0")

    def test_http1_too(self) -> None:
        """A client that begins with HTTP/1.1 is answered by that."""
        line = self.line()
        line.send(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
        (answer,) = line.answers()
        self.assertEqual((answer.status, answer.body), (200, b"{}"))

    def test_first_bytes_in_pieces(self) -> None:
        """The first bytes may come one by one, whichever protocol it is."""
        line = self.line()
        for byte in b"PUT /v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n":
            line.send(bytes([byte]))
        (answer,) = line.answers()
        self.assertEqual(answer.status, 405)

    def test_several_at_once(self) -> None:
        """Several requests on one connection are each answered."""
        client = H2Client(self.house)
        streams = [client.ask("GET", "/v2/")[1] for _ in range(5)]
        missing = client.ask("GET", f"/v2/a/b/blobs/{Digest.of(b'')}")[1]
        for stream in streams:
            self.assertEqual(client.settle(stream).status, 200)
        self.assertEqual(client.settle(missing).status, 404)

    def test_upload(self) -> None:
        """A body of many frames is taken as it comes, and comes back the same."""
        content = os.urandom(1_000_000)
        client = H2Client(self.house)
        digest, stream, sent = self.push(client, content)
        self.assertEqual((stream.status, sent), (201, len(content)))
        _, back = client.ask("GET", f"/v2/a/b/blobs/{digest}")
        client.settle(back, 20)
        self.assertEqual((back.status, back.body), (200, content))

    def test_upload_in_steps(self) -> None:
        """POST, PATCH and PUT go the same way, with and without a length."""
        content = os.urandom(200_000)
        client = H2Client(self.house)
        _, begun = client.ask("POST", "/v2/a/b/blobs/uploads/")
        location = client.settle(begun).headers["location"]
        for part in (content[:100_000], content[100_000:]):
            path = location.partition("registry.example")[2]
            number, stream = client.ask("PATCH", path, end=False)
            client.upload(number, part)
            self.assertEqual(client.settle(stream).status, 202)
            location = stream.headers["location"]
        path = location.partition("registry.example")[2]
        length = ("content-length", "0")
        _, done = client.ask("PUT", f"{path}&digest={Digest.of(content)}", length)
        self.assertEqual(client.settle(done).status, 201)

    def test_slow_upload_leaves_others_alone(self) -> None:
        """While one body waits to come, other requests are answered."""
        client = H2Client(self.house)
        content = os.urandom(100_000)
        path = f"/v2/a/b/blobs/uploads/?digest={Digest.of(content)}"
        number, slow = client.ask("POST", path, end=False)
        client.upload(number, content[:50_000], end=False)
        _, other = client.ask("GET", "/v2/")
        self.assertEqual(client.settle(other).status, 200)
        client.upload(number, content[50_000:])
        self.assertEqual(client.settle(slow).status, 201)

    def test_refused_upload(self) -> None:
        """A body that nobody wants is refused before it is sent, and not read."""
        self.house.controller = SillyAccess("r", "s")
        self.serve()
        client = H2Client(self.house)
        path = f"/v2/a/b/blobs/uploads/?digest={Digest.of(b'x')}"
        length = ("content-length", str(1024**3))
        number, stream = client.ask("POST", path, length, end=False)
        client.settle(stream, 0.5)
        self.assertEqual(stream.status, 401)
        self.assertIn("Bearer", stream.headers["www-authenticate"])
        sent = client.upload(number, bytes(8 * 1024 * 1024))
        self.assertLessEqual(sent, 2 * 1024 * 1024)
        self.assertIn(b"UNAUTHORIZED", stream.body)

    def test_connection_after_a_refusal(self) -> None:
        """A refused body ends its own stream; the others of the connection go on."""
        self.serve(max_upload_bytes=1000)
        client = H2Client(self.house)
        content = bytes(4 * 1024 * 1024)
        path = f"/v2/a/b/blobs/uploads/?digest={Digest.of(content)}"
        number, stream = client.ask("POST", path, end=False)
        client.upload(number, content)
        client.settle(stream)
        self.assertEqual(stream.status, 413)
        self.assertFalse(client.closed)
        _, other = client.ask("GET", "/v2/")
        self.assertEqual(client.settle(other).status, 200)

    def test_drain_with_frames_to_be_sent(self) -> None:
        """An answer is sent to its end, though its request is done; then it closes."""
        client, number, content = self.fill_window(80_000)
        self.assertEqual(self.site.active, set())
        self.successResultOf(self.site.drain(10.0))
        client.turn(300)
        self.assertFalse(client.closed)
        stream = client.read_again(number)
        self.assertEqual((stream.body, stream.ended), (content, True))
        client.turn(300)
        self.assertTrue(client.closed)

    def test_body_that_ends_after_the_answer(self) -> None:
        """A client that looks only when something arrives hears of the end."""
        client = H2Client(self.house)
        for body, pings in ((b"ab", 1), (b"", 2)):
            number, stream = client.ask("GET", "/v2/", end=False)
            client.settle(stream)
            self.assertEqual((stream.status, stream.ended), (200, True))
            self.assertEqual(client.pings, pings - 1)
            client.upload(number, body)
            client.turn(20)
            self.assertEqual(client.pings, pings)
        _, stream = client.ask("GET", "/v2/")
        self.assertEqual(client.settle(stream).status, 200)
        self.assertEqual(client.pings, 2)

    def test_client_breaks_off(self) -> None:
        """A client that resets its upload leaves nothing running."""
        client = H2Client(self.house)
        path = f"/v2/a/b/blobs/uploads/?digest={Digest.of(b'x')}"
        number, _ = client.ask("POST", path, end=False)
        client.upload(number, b"y" * 10_000, end=False)
        client.h2.reset_stream(number)
        client.flush()
        client.turn(20)
        self.assertEqual(self.site.active, set())
        _, other = client.ask("GET", "/v2/")
        self.assertEqual(client.settle(other).status, 200)

    def test_client_hangs_up(self) -> None:
        """A client that goes in the middle of an upload leaves nothing."""
        client = H2Client(self.house)
        path = f"/v2/a/b/blobs/uploads/?digest={Digest.of(b'x')}"
        number, _ = client.ask("POST", path, end=False)
        client.upload(number, b"y" * 10_000, end=False)
        client.hang_up()
        self.assertEqual((self.site.active, self.site.channels), (set(), set()))

    def test_idle(self) -> None:
        """A connection of HTTP/2 on which nothing happens is let go in time."""
        client = H2Client(self.house)
        _, stream = client.ask("GET", "/v2/")
        client.settle(stream)
        client.wait(200)
        self.assertTrue(client.closed)
        self.assertEqual(self.site.channels, set())

    def test_large_head(self) -> None:
        """A head beyond the limit does not break the connection for others."""
        self.limits = ChannelLimits(header_bytes=16_384)
        self.serve()
        client = H2Client(self.house)
        large = [(f"x-{n}", "y" * 1000) for n in range(60)]
        try:
            _, stream = client.ask("GET", "/v2/", *large)
            client.settle(stream, 1.0)
        except Exception as error:
            self.fail(f"the server breaks the protocol: {error!r}")
        refused = 400 <= stream.status < 500 or stream.reset is not None
        self.assertTrue(refused or client.gone is not None or client.closed)

    def test_frame_without_end(self) -> None:
        """A frame that is too long is not waited for, nor kept (RFC 9113, 4.2)."""
        client = H2Client(self.house)
        client.send(b"\xff\xff\xff\x20" + bytes(5) + bytes(20_000))
        client.turn(20)
        self.assertEqual(client.gone.error_code, ErrorCodes.FRAME_SIZE_ERROR)
        self.assertTrue(client.closed)
        self.assertEqual(self.site.channels, set())

    def test_body_shorter_than_announced(self) -> None:
        """A body that is shorter than its length is refused (RFC 9113, 8.1.1)."""
        client = H2Client(self.house)
        path = f"/v2/a/b/blobs/uploads/?digest={Digest.of(b'abc')}"
        number, stream = client.ask("POST", path, ("content-length", "10"), end=False)
        with client_may_lie(client):
            client.upload(number, b"abc")
        client.settle(stream, 1.0)
        self.assertNotEqual(stream.status, 201)
        self.assertEqual(self.site.active, set())

    def test_head_request(self) -> None:
        """HEAD has headers and no body."""
        client = H2Client(self.house)
        _, stream = client.ask("HEAD", "/v2/")
        client.settle(stream)
        self.assertEqual((stream.status, stream.body), (200, b""))
        self.assertEqual(stream.headers["content-length"], "2")


class client_may_lie:
    """Let a client's own library not mind what it sends."""

    def __init__(self, client: H2Client) -> None:
        self.client = client

    def __enter__(self) -> None:
        for stream in self.client.h2.streams.values():
            stream._expected_content_length = None

    def __exit__(self, *_: object) -> None:
        return None
