"""Closed windows of HTTP/2 on a running daemon: what they hold of the machine."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import attrs
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import StreamReset
from h2.settings import SettingCodes
from twisted.internet.threads import deferToThread

from tests.integration.support import IntegrationCase, Registry, free_port
from txregistry.spec.digest import Digest

CONNECTIONS, STREAMS = 10, 32
BLOB_BYTES = 8 * 1024 * 1024


@attrs.define(eq=False)
class Stuck:
    """A client that asks for much, opens no window, and pings."""

    connection: socket.socket
    h2: H2Connection
    resets: int = 0

    @classmethod
    def ask(cls, port: int, path: str) -> Stuck:
        """Connect, and ask as often as one may."""
        client = cls(
            socket.create_connection(("127.0.0.1", port), 10),
            H2Connection(H2Configuration()),
        )
        client.h2.initiate_connection()
        client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 0})
        for number in range(1, 2 * STREAMS, 2):
            head = [
                (":method", "GET"),
                (":path", path),
                (":scheme", "http"),
                (":authority", "x"),
            ]
            client.h2.send_headers(number, head, end_stream=True)
        client.flush()
        return client

    def flush(self) -> None:
        """Send what is to be sent."""
        self.connection.sendall(self.h2.data_to_send())

    def ping(self) -> None:
        """Ping, and read what has come."""
        self.h2.ping(b"12345678")
        self.flush()
        events = self.h2.receive_data(self.connection.recv(65536))
        self.resets += sum(isinstance(event, StreamReset) for event in events)


class ClosedWindowTests(IntegrationCase):
    """Ten connections, each with as many streams as there may be."""

    async def test_held(self) -> None:
        """They hold no file and next to no memory, and end though they ping."""
        port, content = free_port(), os.urandom(BLOB_BYTES)
        limits = {"stalltime": "3s"}
        http = {"addr": f"127.0.0.1:{port}", "h2c": {"enabled": True}, "limits": limits}
        daemon = await self.daemon("one", port, {"http": http})
        path = f"/v2/a/b/blobs/uploads/?digest={Digest.of(content)}"
        response = await self.http.post(f"{daemon.url}{path}", data=content)
        self.assertEqual(response.code, 201)
        before, memory = files(daemon), resident(daemon)
        path = f"/v2/a/b/blobs/{Digest.of(content)}"
        clients = [
            await deferToThread(Stuck.ask, port, path) for _ in range(CONNECTIONS)
        ]
        for client in clients:
            self.addCleanup(client.connection.close)
        for _ in range(10):
            await deferToThread(ping_all, clients)
        self.assertLessEqual(files(daemon) - before, CONNECTIONS + 5)
        self.assertLess(resident(daemon) - memory, 32 * 1024 * 1024)
        for _ in range(300):
            await deferToThread(ping_all, clients)
            if all(client.resets == STREAMS for client in clients):
                break
        self.assertEqual({client.resets for client in clients}, {STREAMS})


def ping_all(clients: list[Stuck]) -> None:
    """Have all of them ping, and wait a little."""
    for client in clients:
        client.ping()
    time.sleep(0.2)


def files(daemon: Registry) -> int:
    """Count the files and sockets that a daemon has open."""
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


def resident(daemon: Registry) -> int:
    """Give the memory of a daemon, in bytes."""
    pages = Path(f"/proc/{daemon.process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
