"""What we rely on of Twisted's HTTP client, and it does not promise."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase
from twisted.web import _newclient
from twisted.web.client import HTTP11ClientProtocol, readBody
from twisted.web.http_headers import Headers

from txregistry.remote.twisted_private import (
    AnswerParser,
    ChunkedDecoder,
    ParseError,
    parse_answers_with,
)

OK = b"HTTP/1.1 200 OK\r\n"


class Decoder(ChunkedDecoder):
    """Notes what was given to it."""

    came: list[bytes] = []

    def dataReceived(self, data: bytes) -> None:
        self.came.append(data)
        super().dataReceived(data)


class Parser(AnswerParser):
    """Notes what it was asked, and reads a few bytes at a time."""

    lines: list[bytes] = []

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.decode_chunks_with(Decoder)

    def connectionMade(self) -> None:
        super().connectionMade()
        self.read_at_once(11)

    def lineReceived(self, line: bytes) -> None:
        self.lines.append(line.strip())
        if line.strip() == b"No: thanks":
            raise ParseError("no", b"")
        super().lineReceived(line)

    def switchToBodyMode(self, decoder: Any) -> None:
        super().switchToBodyMode(decoder)
        self.read_at_once(22)


class ParserTests(SynchronousTestCase):
    """A client of Twisted's that reads answers by a class of ours."""

    def setUp(self) -> None:
        self.patch(_newclient, "HTTPClientParser", _newclient.HTTPClientParser)
        self.patch(Parser, "lines", [])
        self.patch(Decoder, "came", [])
        parse_answers_with(Parser)
        self.transport = StringTransport()
        self.transport.bufferSize = 0
        self.client = HTTP11ClientProtocol()
        self.client.makeConnection(self.transport)

    def ask(self) -> Any:
        request = _newclient.Request(b"GET", b"/", Headers({b"host": [b"x"]}), None)
        return self.client.request(request)

    def test_heads(self) -> None:
        """Each line passes by us, who may give up: else a head has no end."""
        done = self.ask()
        self.client.dataReceived(OK + b"No: thanks\r\n")
        self.assertEqual(Parser.lines, [OK.strip(), b"No: thanks"])
        self.failureResultOf(done, _newclient.ResponseFailed)

    def test_long_lines(self) -> None:
        """How long a line may be is an attribute."""
        self.patch(Parser, "MAX_LENGTH", 20)
        self.ask()
        self.client.dataReceived(OK + b"Long: " + b"x" * 30)
        self.assertTrue(self.transport.disconnecting, "a line has no end")

    def test_chunks(self) -> None:
        """They are taken apart by our class."""
        done = self.ask()
        self.client.dataReceived(OK + b"Transfer-Encoding: chunked\r\n\r\n")
        body = readBody(self.successResultOf(done))
        self.client.dataReceived(b"4\r\nbody\r\n0\r\n\r\n")
        self.assertEqual(self.successResultOf(body), b"body")
        self.assertEqual(Decoder.came[0], b"4\r\nbody\r\n0\r\n\r\n")

    def test_how_much_is_read(self) -> None:
        """It is said to the socket, for the head and then for the body."""
        done = self.ask()
        self.assertEqual(self.transport.bufferSize, 11)
        self.client.dataReceived(OK + b"Content-Length: 9\r\n\r\n")
        self.successResultOf(done)
        self.assertEqual(self.transport.bufferSize, 22)

    def test_below_tls(self) -> None:
        """TLS itself reads from a socket."""
        tls = TLSMemoryBIOFactory(
            CertificateOptions(), True, Factory.forProtocol(Protocol)
        ).buildProtocol(None)
        tls.transport = self.transport
        parser = Parser(type("Asked", (), {"method": b"GET"})(), lambda rest: None)
        parser.transport = _newclient.TransportProxyProducer(tls)
        parser.read_at_once(33)
        self.assertEqual(self.transport.bufferSize, 33)

    def test_given_up(self) -> None:
        """An answer that was given up has no socket any more."""
        proxy = _newclient.TransportProxyProducer(self.transport)
        parser = Parser(type("Asked", (), {"method": b"GET"})(), lambda rest: None)
        parser.transport = proxy
        proxy.stopProxying()
        parser.read_at_once(33)
        self.assertEqual(self.transport.bufferSize, 0)
