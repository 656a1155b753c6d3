"""What one connection of HTTP/1.1 may take."""

from __future__ import annotations

from tests.web.http.limits import LimitCase
from tests.web.raw import Line
from txregistry.spec.digest import Digest
from txregistry.web.http.connections import ChannelLimits


class LimitTests(LimitCase):
    """HTTP/1.1: time, length, and number."""

    def drip(self, line: Line, text: bytes, seconds: float = 1.0) -> float:
        """Send a byte every so often; say after how long the line was cut."""
        began = self.house.clock.seconds()
        for byte in text:
            if line.closed:
                break
            line.send(bytes([byte]))
            self.house.clock.advance(seconds)
            self.house.pump()
        return self.house.clock.seconds() - began

    def test_head_in_time(self) -> None:
        """A head that is in before its time is over is answered."""
        line = self.line()
        line.send(b"GET / HTTP/1.1\r\n")
        self.house.clock.advance(9)
        line.send(b"Host: x\r\n\r\n")
        (answer,) = line.answers()
        self.assertEqual(answer.status, 200)

    def test_slow_lines(self) -> None:
        """A client that sends a header now and then is cut off."""
        line = self.line()
        line.send(b"GET / HTTP/1.1\r\n")
        for number in range(10):
            self.house.clock.advance(2)
            if not line.closed:
                line.send(b"X-%d: y\r\n" % number)
        self.assertTrue(line.closed)
        self.assertNothingIsLeft()

    def test_slow_bytes(self) -> None:
        """A client that sends a byte now and then, and no line, is cut off too."""
        for text in (b"G" * 200, b"GET / HTTP/1.1\r\nX-Long: " + b"y" * 200):
            line = self.line()
            took = self.drip(line, text)
            self.assertTrue(line.closed, text[:20])
            self.assertLessEqual(took, 30 + len(text) - 200)
        self.assertNothingIsLeft()

    def test_silence(self) -> None:
        """A client that says nothing is let go when it was idle long enough."""
        line = self.line()
        line.wait(59)
        self.assertFalse(line.closed)
        line.wait(5)
        self.assertTrue(line.closed)
        self.assertNothingIsLeft()

    def test_time_begins_anew(self) -> None:
        """Each request on a connection has the whole time for its head."""
        line = self.line()
        for _ in range(5):
            line.send(b"GET / HTTP/1.1\r\n")
            self.house.clock.advance(8)
            line.send(b"Host: x\r\n\r\n")
            self.house.clock.advance(8)
        self.assertEqual([a.status for a in line.answers()], [200] * 5)

    def test_body_has_its_own_time(self) -> None:
        """A body that takes longer than a head may is no trouble."""
        content = b"x" * 20
        digest = Digest.of(content)
        line = self.line()
        path = f"/v2/a/b/blobs/uploads/?digest={digest}"
        line.send(f"POST {path} HTTP/1.1\r\nHost: x\r\n".encode())
        line.send(b"Content-Length: 20\r\n\r\n")
        self.drip(line, content, 2.0)
        line.wait(2, 0.1)
        (answer,) = line.answers()
        self.assertEqual(answer.status, 201)

    def test_long_head(self) -> None:
        """A head that is longer than it may be is refused, and then closed."""
        for head in (
            b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + b"X: yyyyyyyyyyyyyyyyyyyyy\r\n" * 900 + b"\r\n",
            b"GET /" + b"z" * 20_000 + b" HTTP/1.1\r\n\r\n",
        ):
            line = self.line()
            line.send(head)
            line.wait(2)
            self.assertTrue(line.closed, head[:30])
            statuses = [answer.status for answer in line.answers()]
            self.assertTrue(all(400 <= status < 500 for status in statuses), statuses)
        self.assertNothingIsLeft()

    def test_rather_long_head(self) -> None:
        """A Range of a thousand parts and a long token fit into the default."""
        self.limits = ChannelLimits()
        self.serve()
        parts = ",".join(f"{n * 10}-{n * 10 + 4}" for n in range(1024))
        line = self.line()
        head = f"GET / HTTP/1.1\r\nHost: x\r\nRange: bytes={parts}\r\n"
        line.send(f"{head}Authorization: Bearer {'t' * 30_000}\r\n\r\n".encode())
        (answer,) = line.answers()
        self.assertEqual(answer.status, 200)

    def test_connections(self) -> None:
        """One connection too many is not made; when one goes there is room again."""
        lines = [self.line().send(b"GET / HTTP/1.1\r\n") for _ in range(3)]
        self.assertIsNone(self.site.buildProtocol(None))
        lines[0].hang_up()
        self.assertIsNotNone(self.site.buildProtocol(None))

    def test_silent_connections_count(self) -> None:
        """Connections that have said nothing yet take room as well."""
        for _ in range(3):
            self.line()
        self.assertIsNone(self.site.buildProtocol(None))

    def test_drain(self) -> None:
        """Draining closes a connection on which nothing is under way."""
        line = self.line()
        self.successResultOf(self.site.drain(5))
        self.house.pump()
        self.assertTrue(line.closed)
        self.assertNothingIsLeft()

    def test_tls_to_a_plain_port(self) -> None:
        """A client that speaks TLS to a port without it is closed at once."""
        line = self.line()
        line.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(20))
        self.assertTrue(line.closed)


class ChoosingTests(LimitTests):
    """The same, where a connection may become HTTP/2 (``http.h2c``)."""

    options = {"cleartext_http2": True}


class OfferedTests(LimitTests):
    """The same, where HTTP/2 is offered by TLS."""

    options = {"http2": True}
