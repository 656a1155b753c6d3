"""Upstreams that answer without end or measure."""

from __future__ import annotations

from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from txregistry.remote.lines import MAX_HEAD_BYTES, MAX_HEAD_LINES
from txregistry.testing.house import Got, TestHouse

BLOB = "/v2/lib/x/blobs/sha256:" + "a" * 64
NESTED = b"[" * 100_000


class Raw(Protocol):
    """Answers every question with the same bytes, and waits."""

    answer = b""

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(self.answer)


class RawCase(SynchronousTestCase):
    """A whole cache in front of an upstream that sends raw bytes."""

    def get(self, answer: bytes, path: str = BLOB) -> Got:
        self.house = TestHouse()
        raw = type("Answering", (Raw,), {"answer": answer})
        self.house.upstream_wire._server = Factory.forProtocol(raw)
        return self.house.settle(self.house.ask("GET", path))


class HeadTests(RawCase):
    """Heads of answers."""

    def test_heads_without_end(self) -> None:
        """A head of too many bytes or lines ends the connection before a time limit."""
        many = b"x: y\r\n" * (MAX_HEAD_LINES + 1)
        long = (b"x: " + b"y" * 30_000 + b"\r\n") * (MAX_HEAD_BYTES // 30_000 + 1)
        for lines in (many, long, b" folded\r\n" * (MAX_HEAD_LINES + 1)):
            got = self.get(b"HTTP/1.1 200 OK\r\na: b\r\n" + lines)
            self.assertEqual(got.status, 502)
            self.assertEqual(self.house.upstream_wire.open_connections, 0)

    def test_interim_answers_without_end(self) -> None:
        """Answers of 1xx count with the head that they announce."""
        interim = b"HTTP/1.1 103 Early Hints\r\nx: y\r\n\r\n"
        self.assertEqual(self.get(interim * MAX_HEAD_LINES).status, 502)
