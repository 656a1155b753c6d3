"""A client that sends what it is told, byte by byte, and hides nothing of the answer.

Ordinary clients tidy up paths, follow redirects, and take the length of an answer to
HEAD away; a comparison wants all of it.
"""

from __future__ import annotations

from email.message import Message
from http.client import parse_headers
from io import BytesIO

import attrs
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from tests.integration.scenarios.step import Step

#: After this long without an end an answer is taken as it stands.
_PATIENCE_SECONDS = 20


@attrs.frozen
class Answer:
    """What came back.

    :ivar whole: as much came as was announced.
    """

    status: int
    headers: Message
    content: bytes
    whole: bool

    def header(self, name: str) -> str | None:
        """Give all values of a header, if there is any."""
        values = self.headers.get_all(name)
        return None if values is None else ", ".join(values)


class _Exchange(Protocol):
    """Collects bytes until the other side closes."""

    def __init__(self) -> None:
        self.received = b""
        self.ended: Deferred[None] = Deferred(lambda _: self.close())

    def close(self) -> None:
        if self.transport is not None:
            self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.ended.called:
            self.ended.callback(None)


async def ask(port: int, step: Step, path: str) -> Answer:
    """Send a step's request to a port of this machine."""
    exchange = _Exchange()
    endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
    await connectProtocol(endpoint, exchange)
    exchange.transport.write(_request(port, step, path))
    await exchange.ended.addTimeout(_PATIENCE_SECONDS, reactor)
    return _answer(exchange.received, step.method == "HEAD")


def _request(port: int, step: Step, path: str) -> bytes:
    lines = [f"{step.method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    lines += [
        f"{name}: {value}" for name in step.headers for value in step.headers[name]
    ]
    lines.append("Connection: close")
    body = step.body or b""
    if step.chunked:
        lines.append("Transfer-Encoding: chunked")
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    elif body or step.method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def _answer(received: bytes, to_head: bool) -> Answer:
    stream = BytesIO(received)
    status = 100
    while status < 200:
        line = stream.readline().split()
        assert len(line) > 1, f"no answer: {received!r}"
        status = int(line[1])
        headers = parse_headers(stream)
    content = stream.read()
    announced = headers.get("Content-Length")
    if headers.get("Transfer-Encoding") == "chunked":
        content, whole = _join(content)
    elif announced is None or to_head or status in (204, 304):
        whole = not content or announced is None
    else:
        whole = len(content) == int(announced)
    return Answer(status, headers, content, whole)


def _join(chunks: bytes) -> tuple[bytes, bool]:
    """Take the chunks out of a body; tell whether the last was there."""
    found = b""
    while chunks:
        size, _, chunks = chunks.partition(b"\r\n")
        length = int(size.partition(b";")[0] or b"0", 16)
        if length == 0:
            return found, chunks == b"\r\n"
        found, chunks = found + chunks[:length], chunks[length + 2 :]
    return found, False
