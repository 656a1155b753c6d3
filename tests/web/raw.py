"""A client that sends whatever bytes it likes, and reads answers strictly."""

from __future__ import annotations

import json
from typing import Any

import attrs
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from txregistry.testing.house import TestHouse
from txregistry.testing.wire import Wire


@attrs.frozen
class Answer:
    """One response as it stood on the wire.

    :ivar headers: names in lower case; the last value of each.
    """

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """Give the code of the first OCI error."""
        code: str = json.loads(self.body)["errors"][0]["code"]
        return code


class Line(Protocol):
    """A connection by hand, to the registry of a house or to its cache."""

    def __init__(self, house: TestHouse, wire: Wire | None = None) -> None:
        self.house = house
        self.received = b""
        self.closed = False
        (wire or house.registry_wire).connect(Factory.forProtocol(lambda: self))

    def dataReceived(self, data: bytes) -> None:
        """Keep what comes."""
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Note the end."""
        self.closed = True

    def send(self, data: bytes) -> Line:
        """Send bytes and let them arrive."""
        self.transport.write(data)
        self.house.pump()
        return self

    def hang_up(self) -> None:
        """Go away, whatever is under way."""
        self.transport.loseConnection()
        self.house.pump()

    def wait(self, seconds: float, step: float = 1.0) -> Line:
        """Let time pass until the connection is closed, at most this long."""
        waited = 0.0
        while not self.closed and waited < seconds:
            self.house.clock.advance(step)
            self.house.pump()
            waited += step
        return self

    def answers(self, *methods: str) -> list[Answer]:
        """Read what has come as responses, the last of which may be cut short.

        :param methods: of the requests; a response to HEAD has no body.
        :raise AssertionError: it is not HTTP.
        """
        found, rest, asked = [], self.received, list(methods)
        while rest:
            head, end, rest = rest.partition(b"\r\n\r\n")
            if not end:
                raise AssertionError(f"cut in a head: {head[:200]!r}")
            status, headers = _head(head)
            if status == 100:
                continue
            method = asked.pop(0) if asked else ""
            body, rest = _body(status, headers, rest, method)
            found.append(Answer(status, headers, body))
        return found


def _head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    version, status, _ = (first + " ").split(" ", 2)
    if not version.startswith("HTTP/1."):
        raise AssertionError(f"no status line: {first[:200]!r}")
    pairs = [line.partition(":") for line in lines]
    return int(status), {name.lower(): value.strip() for name, _, value in pairs}


def _body(
    status: int, headers: dict[str, Any], rest: bytes, method: str
) -> tuple[bytes, bytes]:
    if method == "HEAD" or status in (204, 304):
        return b"", rest
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while True:
            size, _, rest = rest.partition(b"\r\n")
            length = int(size, 16)
            body, rest = body + rest[:length], rest[length + 2 :]
            if not length:
                return body, rest
    length = int(headers.get("content-length", len(rest)))
    return rest[:length], rest[length:]
