"""Every way in which a request may end, from a real curl and frame by frame."""

from __future__ import annotations

import os
import socket
import urllib.request
from collections.abc import Sequence
from itertools import product
from urllib.parse import urlsplit

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ResponseReceived, StreamEnded, StreamReset
from twisted.internet.threads import deferToThread
from twisted.internet.utils import getProcessOutputAndValue

from tests.integration.support import (
    IntegrationCase,
    Registry,
    free_port,
    require,
    which,
)
from tests.web.test_ends import EMPTY, FULL, UPLOADS, Part, asks, matrix
from txregistry.spec.digest import Digest

#: How curl is told of a body; ``FILE`` stands for a file that holds it.
SENDS = {
    "-d": ("--data-binary", "@FILE"),
    "-T": ("-T", "FILE"),
    "chunked": ("-H", "Transfer-Encoding: chunked", "--data-binary", "@FILE"),
    "expect": ("-H", "Expect: 100-continue", "--data-binary", "@FILE"),
}

#: What is of use in HTTP/1.1 only.
_OLD = ("chunked", "expect")

PROTOCOLS = ("--http2-prior-knowledge", "--http1.1")


class EndTests(IntegrationCase):
    """A daemon that speaks both protocols without TLS."""

    async def serve(self) -> Registry:
        port = free_port()
        http = {"addr": f"127.0.0.1:{port}", "h2c": {"enabled": True}}
        files = {"rootdirectory": str(self.directory / "registry")}
        storage = {"filesystem": files, "delete": {"enabled": True}}
        settings = {"http": http, "storage": storage}
        registry = await self.daemon("registry", port, settings)
        await deferToThread(_post, registry, f"?digest={Digest.of(b'blob')}", b"blob")
        return registry

    async def test_curl(self) -> None:
        """Each method of curl is answered, with nothing to send and with something."""
        require("curl")
        registry = await self.serve()
        for protocol, body in product(PROTOCOLS, (b"", b"ab")):
            (self.directory / "body").write_bytes(body)
            for (method, path, status), how in product(asks(body), SENDS):
                if cannot(protocol, method, path, how):
                    continue
                at = await deferToThread(_path, registry, path)
                found = await self.curl(protocol, method, registry.url + at, how)
                told = f"{protocol} {method} {path} {how} {body!r}"
                self.assertEqual(found, (0, str(status)), told)
        self.assertNotIn("Traceback", registry.process.text())

    async def curl(
        self, protocol: str, method: str, url: str, how: str
    ) -> tuple[int, str]:
        file = str(self.directory / "body")
        sends = [part.replace("FILE", file) for part in SENDS[how]]
        out, _, code = await getProcessOutputAndValue(
            which("curl"),
            [
                *("-sS", "--max-time", "60", "--noproxy", "*", "-o", os.devnull),
                *("-w", "%{http_code}", protocol, "-X", method, *sends, url),
            ],
            os.environ,
        )
        return code, out.decode()

    async def test_frames(self) -> None:
        """Each end of a stream is heard, in one segment with the head or by itself."""
        registry = await self.serve()
        for at_once in (True, False):
            await deferToThread(self.play, registry, at_once)
        self.assertNotIn("Traceback", registry.process.text())

    def play(self, registry: Registry, at_once: bool) -> None:
        with Frames(registry.port, at_once) as frames:
            for forms, body in ((EMPTY, b""), (FULL, b"ab")):
                for (method, path, status), form, has_length in matrix(forms, body):
                    at = _path(registry, path)
                    length = len(body) if has_length else None
                    found = frames.ask(method, at, forms[form], length)
                    told = f"{method} {path}, {form}, {has_length=}, {at_once=}"
                    self.assertEqual(found, status, told)


def cannot(protocol: str, method: str, path: str, how: str) -> bool:
    """Tell whether curl cannot ask this.

    To HEAD it waits for a body, HTTP/2 has no chunks, and there it takes an answer in
    the place of a 100 for none. To a path that ends with a slash -T adds a name.
    """
    is_old = protocol == "--http1.1"
    adds_a_name = how == "-T" and path.partition("?")[0].endswith("/")
    return method == "HEAD" or adds_a_name or (how in _OLD and not is_old)


class Frames:
    """A connection of HTTP/2, on which the client waits for each answer."""

    def __init__(self, port: int, at_once: bool) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.h2 = H2Connection(H2Configuration(header_encoding="utf-8"))
        self.at_once = at_once

    def __enter__(self) -> Frames:
        self.h2.initiate_connection()
        self.flush()
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def flush(self) -> None:
        self.socket.sendall(self.h2.data_to_send())

    def ask(
        self, method: str, path: str, parts: Sequence[Part], length: int | None
    ) -> int:
        """Send a request; give the status, once the answer has ended."""
        number = self.h2.get_next_available_stream_id()
        head = [
            (":method", method),
            (":path", path),
            (":scheme", "http"),
            (":authority", "x"),
        ]
        if length is not None:
            head.append(("content-length", str(length)))
        self.h2.send_headers(number, head, end_stream=not parts)
        for count, part in enumerate(parts, 1):
            if not self.at_once:
                self.flush()
            if part is None:
                self.h2.send_headers(number, [("x-sum", "1")], end_stream=True)
                # The client's library forgets that it is HEAD, which has no body.
                self.h2.streams[number].request_method = method.encode()
            else:
                self.h2.send_data(number, part, count == len(parts))
        self.flush()
        return self.answer(number)

    def answer(self, number: int) -> int:
        status = 0
        while True:
            # No answer within the socket's patience fails the test.
            for event in self.h2.receive_data(self.socket.recv(65_536)):
                if getattr(event, "stream_id", None) != number:
                    continue
                if isinstance(event, ResponseReceived):
                    status = int(dict(event.headers)[":status"])
                elif isinstance(event, StreamEnded | StreamReset):
                    self.flush()
                    return status
            self.flush()


def _path(registry: Registry, path: str) -> str:
    """Give a path; one that begins with ``+`` is that of a new upload."""
    if not path.startswith("+"):
        return path
    parts = urlsplit(_post(registry, "", b""))
    return f"{parts.path}?{parts.query}{path[1:]}"


def _post(registry: Registry, query: str, body: bytes) -> str:
    asked = urllib.request.Request(f"{registry.url}{UPLOADS}{query}", body)
    with urllib.request.urlopen(asked, timeout=60) as answer:
        location: str = answer.headers["Location"]
        return location
