"""Heads and chunks of an upstream, within limits."""

from __future__ import annotations

from twisted.internet.testing import StringTransport
from twisted.web._newclient import TransportProxyProducer

from tests.hostile.test_upstreams import RawCase
from txregistry.remote.body import BodyProducer
from txregistry.remote.response_parser import (
    CHUNKS_READ_BYTES,
    MAX_HEAD_BYTES,
    MAX_HEAD_LINES,
    READ_BYTES,
    SMALL_READ_BYTES,
    CappedParser,
)
from txregistry.spec.digest import Digest


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


class ChunkTests(RawCase):
    """Bodies in chunks of one byte."""

    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    def test_passed_on_in_one_piece(self) -> None:
        """What one read brings is one piece for us, however it is cut."""
        content = b"x" * 30_000
        path = f"/v2/lib/x/blobs/{Digest.of(content)}"
        pieces: list[int] = []
        take = BodyProducer.dataReceived

        def taken(body: BodyProducer, data: bytes) -> None:
            pieces.append(len(data))
            take(body, data)

        self.patch(BodyProducer, "dataReceived", taken)
        got = self.get(self.head + b"1\r\nx\r\n" * len(content) + b"0\r\n\r\n", path)
        self.assertEqual((got.status, got.body), (200, content))
        self.assertEqual(sum(pieces), len(content))
        self.assertLess(len(pieces), 10)

    def test_less_is_read_at_once(self) -> None:
        """Much is read of a body of known length, and little where chunks are small."""
        transport = StringTransport()
        transport.bufferSize = 0
        asked = type("Asked", (), {"method": b"GET", "absoluteURI": None})
        parser = CappedParser(asked(), lambda rest: None)
        parser.makeConnection(TransportProxyProducer(transport))
        self.assertEqual(transport.bufferSize, SMALL_READ_BYTES)
        parser.dataReceived(self.head)
        self.assertEqual(transport.bufferSize, CHUNKS_READ_BYTES)
        parser.dataReceived(b"1\r\nx\r\n" * 5000)
        self.assertEqual(transport.bufferSize, SMALL_READ_BYTES)
        parser.dataReceived(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        self.assertEqual(transport.bufferSize, CHUNKS_READ_BYTES)
        parser = CappedParser(asked(), lambda rest: None)
        parser.makeConnection(TransportProxyProducer(transport))
        parser.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        self.assertEqual(transport.bufferSize, READ_BYTES)
