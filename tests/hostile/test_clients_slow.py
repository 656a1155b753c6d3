"""Clients that send a byte now and then: how long they are waited for."""

from __future__ import annotations

from hyperframe.frame import HeadersFrame, PingFrame

from tests.web.http.limits import LimitCase
from tests.web.http.test_http2 import H2Client
from txregistry.spec.digest import Digest
from txregistry.web.http.connections import ChannelLimits

UPLOAD = f"/v2/a/b/blobs/uploads/?digest={Digest.of(b'x')}"


class SlowHeadTests(LimitCase):
    """HTTP/2: a preface or a frame that comes byte by byte."""

    options = {"cleartext_http2": True}
    limits = ChannelLimits(header_seconds=10.0, idle_seconds=60.0)

    def test_preface(self) -> None:
        """A preface that comes byte by byte ends with the time of a head."""
        line = self.line()
        for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":
            if not line.closed:
                line.send(bytes([byte])).wait(1)
        self.assertTrue(line.closed)
        self.assertNothingIsLeft()

    def drip(self, client: H2Client, data: bytes) -> int:
        """Send a byte each second until the client is cut; say how many."""
        for sent, byte in enumerate(data):
            if client.closed:
                return sent
            client.send(bytes([byte])).wait(1)
        return len(data)

    def test_headers(self) -> None:
        """HEADERS that come byte by byte end with the time of a head."""
        client = H2Client(self.house)
        frame = HeadersFrame(1, data=b"\x82" * 50, flags=["END_HEADERS"])
        self.assertLessEqual(self.drip(client, frame.serialize()), 13)

    def test_unfinished_block(self) -> None:
        """HEADERS that are never continued end with it too, though bytes come."""
        client = H2Client(self.house)
        client.send(HeadersFrame(1, data=b"\x82").serialize())
        rest = bytes([0, 0, 40, 9, 0, 0, 0, 0, 1]) + bytes(40)
        self.assertLessEqual(self.drip(client, rest), 13)

    def test_frames_with_others_before(self) -> None:
        """Each frame has its own time: many slow ones in a row are not one."""
        client = H2Client(self.house)
        ping = PingFrame(0, opaque_data=b"12345678").serialize()
        for _ in range(8):
            client.send(ping[:5]).wait(2)
            client.send(ping[5:])
        self.assertFalse(client.closed)


class SlowBodyTests(LimitCase):
    """HTTP/1.1: a body of a byte a second."""

    limits = ChannelLimits(idle_seconds=60.0, min_rate=100)

    def begin(self, *headers: str) -> None:
        lines = [f"POST {UPLOAD} HTTP/1.1", "Host: x", *headers, "", ""]
        self.client = self.line().send("\r\n".join(lines).encode())

    def drip(self, data: bytes, seconds: int) -> int:
        """Send something each second; say for how many seconds that went."""
        for second in range(seconds):
            if self.client.closed:
                return second
            self.client.send(data).wait(1)
        return seconds

    def test_byte_a_second(self) -> None:
        """A body of a byte a second is cut after a minute."""
        self.begin("Content-Length: 100000")
        self.assertLessEqual(self.drip(b"x", 200), 62)
        self.assertTrue(self.client.closed)
        self.assertNothingIsLeft()

    def test_chunk_extensions(self) -> None:
        """Chunks that say something every second and bring nothing are cut as well."""
        self.begin("Transfer-Encoding: chunked")
        self.client.send(b"1;")
        self.assertLessEqual(self.drip(b"a", 200), 62)

    def test_fast_enough(self) -> None:
        """A body that comes with the least rate goes on."""
        self.begin("Content-Length: 100000")
        self.assertEqual(self.drip(b"x" * 101, 200), 200)

    def test_slow_after_fast(self) -> None:
        """Much at the beginning does not pay for nothing later."""
        self.begin("Content-Length: 1000000")
        self.client.send(b"x" * 500_000)
        self.assertLessEqual(self.drip(b"x", 300), 122)

    def test_off(self) -> None:
        """With a rate of 0 a client may be as slow as it likes."""
        self.limits = ChannelLimits(idle_seconds=60.0, min_rate=0)
        self.serve()
        self.begin("Content-Length: 100000")
        self.assertEqual(self.drip(b"x", 200), 200)

    def test_held_back(self) -> None:
        """What we hold back is not slow: that is us."""
        self.begin("Content-Length: 100000", "Expect: 100-continue")
        (request,) = self.site.active
        request.pause_body()
        self.client.send(b"x").wait(59)
        self.client.send(b"x").wait(59)
        self.client.send(b"x")
        self.assertFalse(self.client.closed)


class LateBodyTests(LimitCase):
    """HTTP/2: a body that goes on after its answer."""

    options = {"cleartext_http2": True}
    limits = ChannelLimits(idle_seconds=60.0)

    def test_no_life(self) -> None:
        """What comes of a body that was refused keeps no connection."""
        self.serve(max_upload_bytes=1)
        client = H2Client(self.house)
        length = ("content-length", "100000")
        number, stream = client.ask("POST", UPLOAD, length, end=False)
        client.settle(stream, 1.0)
        self.assertEqual(stream.status, 413)
        for _ in range(200):
            if client.closed:
                break
            client.h2.send_data(number, b"x")
            client.flush()
            client.wait(1)
        self.assertTrue(client.closed)


class SlowStreamTests(LimitCase):
    """HTTP/2: a body of a byte a second, beside others that go on."""

    options = {"cleartext_http2": True}
    limits = ChannelLimits(idle_seconds=60.0, min_rate=100)

    def cut_after(self, client: H2Client, number: int, data: bytes) -> int:
        """Send of a body each second, and ask for other things; say how long."""
        stream = client.streams[number]
        for second in range(200):
            if stream.reset is not None:
                return second
            if data:
                client.h2.send_data(number, data)
            if second % 5 == 0:
                _, other = client.ask("GET", "/v2/")
                self.assertEqual(client.settle(other).status, 200)
            client.flush()
            client.wait(1)
        return 200

    def test_byte_a_second(self) -> None:
        """A stream of a byte a second is reset, and no other."""
        client = H2Client(self.house)
        number, _ = client.ask("POST", UPLOAD, end=False)
        self.assertLessEqual(self.cut_after(client, number, b"x"), 80)
        self.assertFalse(client.closed)
        self.assertEqual(self.site.active, set())

    def test_nothing(self) -> None:
        """A stream of which nothing comes is reset, though others are busy."""
        client = H2Client(self.house)
        number, _ = client.ask("POST", UPLOAD, end=False)
        self.assertLessEqual(self.cut_after(client, number, b""), 80)

    def test_fast_enough(self) -> None:
        """A stream with the least rate goes on."""
        client = H2Client(self.house)
        number, _ = client.ask("POST", UPLOAD, end=False)
        self.assertEqual(self.cut_after(client, number, b"x" * 101), 200)
