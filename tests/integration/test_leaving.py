"""Clients that leave in the middle, and what the daemon's logs say of them."""

from __future__ import annotations

import http.client
import os
import re
import socket
import ssl

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived
from twisted.internet.threads import deferToThread

from tests.integration.support import IntegrationCase, Registry, free_port, sleep
from tests.integration.test_tls import TlsCase
from txregistry.spec.digest import Digest

MIB = 1024 * 1024

#: Longer than what kernels keep of a connection that nobody reads.
SIZE = 48 * MIB

UPLOADS = "/v2/a/b/blobs/uploads/"


async def logged(registry: Registry, method: str) -> tuple[int, int]:
    """Wait for a client that left; give the status and the bytes it had."""
    pattern = rf'"{method} [^"]* HTTP/[0-9.]+" (499) ([0-9]+) '
    for _ in range(600):
        found = re.findall(pattern, registry.process.text())
        if found:
            ((status, sent),) = found
            return int(status), int(sent)
        await sleep(0.1)
    raise AssertionError(registry.process.text())


class LeavingTests(IntegrationCase):
    """A daemon that speaks both protocols without TLS, and has a large blob."""

    async def serve(self) -> tuple[Registry, str]:
        port = free_port()
        http = {"addr": f"127.0.0.1:{port}", "h2c": {"enabled": True}}
        registry = await self.daemon("registry", port, {"http": http})
        content = os.urandom(MIB) * (SIZE // MIB)
        digest = Digest.of(content)
        url = f"{registry.url}{UPLOADS}?digest={digest}"
        response = await self.http.post(url, data=content)
        self.assertEqual(response.code, 201)
        return registry, f"/v2/a/b/blobs/{digest}"

    async def test_download(self) -> None:
        """HTTP/1.1: what the kernel took of the file, not all that was begun."""
        registry, path = await self.serve()
        had = await deferToThread(_download, registry.port, path)
        status, sent = await logged(registry, "GET")
        self.assertEqual(status, 499)
        self.assertTrue(had <= sent < SIZE, f"had {had}, logged {sent}")
        self.assertNotIn("Traceback", registry.process.text())

    async def test_download_in_frames(self) -> None:
        """HTTP/2: what the client's window let through."""
        registry, path = await self.serve()
        had = await deferToThread(_download_frames, registry.port, path)
        self.assertEqual(await logged(registry, "GET"), (499, had))
        self.assertNotIn("Traceback", registry.process.text())

    async def test_upload(self) -> None:
        """A client that left in the middle of its body, and how much of it had come."""
        registry, _ = await self.serve()
        await deferToThread(_upload, registry.port, 300_000)
        self.assertEqual(await logged(registry, "POST"), (499, 0))
        told = "client disconnected after 300000 of 1000000 bytes of its body request="
        self.assertIn(told, registry.process.text())
        self.assertNotIn("Traceback", registry.process.text())


class LeavingByTlsTests(TlsCase):
    """A daemon that encrypts, so that the kernel takes no file from it."""

    async def test_download(self) -> None:
        """What was encrypted and taken by the kernel, not all that was read."""
        registry = await self.serve({})
        content = os.urandom(MIB) * (SIZE // MIB)
        digest = Digest.of(content)
        await deferToThread(_push, registry.port, content, f"{UPLOADS}?digest={digest}")
        path = f"/v2/a/b/blobs/{digest}"
        had = await deferToThread(_download, registry.port, path, is_tls=True)
        status, sent = await logged(registry, "GET")
        self.assertEqual(status, 499)
        self.assertTrue(had <= sent < SIZE, f"had {had}, logged {sent}")
        self.assertNotIn("Traceback", registry.process.text())


def _insecure() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _push(port: int, content: bytes, path: str) -> None:
    line = http.client.HTTPSConnection("127.0.0.1", port, context=_insecure())
    line.request("POST", path, content)
    assert line.getresponse().status == 201
    line.close()


def _download(port: int, path: str, is_tls: bool = False) -> int:
    """Read some of an answer; give how much of the body that was."""
    with socket.create_connection(("127.0.0.1", port), 10) as plain:
        line = _insecure().wrap_socket(plain) if is_tls else plain
        line.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        read = b""
        while len(read) < MIB:
            read += line.recv(65_536)
    return len(read.partition(b"\r\n\r\n")[2])


def _download_frames(port: int, path: str) -> int:
    """Read until the window is full."""
    head = [(":method", "GET"), (":path", path)]
    head += [(":scheme", "http"), (":authority", "x")]
    h2, read = H2Connection(H2Configuration(header_encoding="utf-8")), 0
    with socket.create_connection(("127.0.0.1", port), 10) as line:
        h2.initiate_connection()
        h2.send_headers(1, head, end_stream=True)
        line.sendall(h2.data_to_send())
        while read < 65_535:
            for event in h2.receive_data(line.recv(65_536)):
                read += len(event.data) if isinstance(event, DataReceived) else 0
            line.sendall(h2.data_to_send())
    return read


def _upload(port: int, size: int) -> None:
    """Send the beginning of a body."""
    path = f"{UPLOADS}?digest={Digest.of(b'x')}"
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), 10) as line:
        line.sendall(head.encode() + bytes(size))
