"""``txregistry health``, on sockets that answer by themselves."""

from __future__ import annotations

import socket
from unittest.mock import patch

import yaml
from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from txregistry.cli.main import main

DEBUG = {"addr": "127.0.0.1:5000", "debug": {"addr": ":5001"}}


class HealthTests(SynchronousTestCase):
    """What is asked where, and what the answer means."""

    def run_command(self, answer: bytes, **http: object) -> Result:
        """Let the daemon give an answer, whatever it is asked."""
        near, self.far = socket.socketpair()
        self.addCleanup(self.far.close)
        self.far.sendall(answer)
        self.far.shutdown(socket.SHUT_WR)
        self.asked_at = None
        config = self.mktemp()
        with open(config, "w") as file:
            storage = {"inmemory": {}}
            yaml.safe_dump({"version": "0.1", "storage": storage, "http": http}, file)

        def connect(address: tuple[str, int], seconds: float) -> socket.socket:
            self.asked_at = address
            return near

        with patch("socket.create_connection", connect):
            return CliRunner().invoke(main, ["health", config])

    def asked(self) -> bytes:
        return self.far.recv(1000).partition(b"\r\n")[0]

    def test_well(self) -> None:
        """A registry that answers /v2/ is well, and nothing is said."""
        done = self.run_command(b"HTTP/1.1 200 OK\r\n\r\n", addr="127.0.0.1:5000")
        self.assertEqual((done.exit_code, done.output), (0, ""))
        self.assertEqual(self.asked(), b"GET /v2/ HTTP/1.1")
        self.assertEqual(self.asked_at, ("127.0.0.1", 5000))

    def test_login(self) -> None:
        """So is one that wants a login, at the path that it has."""
        answer = b"HTTP/1.1 401 Unauthorized\r\n\r\n"
        done = self.run_command(answer, addr=":5000", prefix="/hub/")
        self.assertEqual(done.exit_code, 0)
        self.assertEqual(self.asked(), b"GET /hub/v2/ HTTP/1.1")
        self.assertEqual(self.asked_at, ("localhost", 5000))

    def test_debug_listener(self) -> None:
        """The debug listener is asked if there is one: it knows more."""
        done = self.run_command(b"HTTP/1.1 200 OK\r\n\r\n{}", **DEBUG)
        self.assertEqual(done.exit_code, 0)
        self.assertEqual(self.asked(), b"GET /debug/health HTTP/1.1")
        self.assertEqual(self.asked_at, ("localhost", 5001))

    def test_unhealthy(self) -> None:
        """What is wrong is said, and the status is 1."""
        answer = b'HTTP/1.1 503 Unavailable\r\n\r\n{"storage": "disk full"}'
        done = self.run_command(answer, **DEBUG)
        self.assertEqual(done.exit_code, 1)
        self.assertIn('answered by 503: {"storage": "disk full"}', done.output)

    def test_no_http(self) -> None:
        """What is no HTTP is no health."""
        done = self.run_command(b"SSH-2.0\r\n", addr="127.0.0.1:5000")
        self.assertEqual(done.exit_code, 1)
        self.assertIn("it does not answer", done.output)

    def test_nobody(self) -> None:
        """A socket that is not there is said to be so."""
        done = self.run_command(b"", addr=self.mktemp(), net="unix")
        self.assertEqual(done.exit_code, 1)
        self.assertIn("it does not answer: [Errno 2]", done.output)

    def test_unusable_configuration(self) -> None:
        """A configuration that cannot be used is another status."""
        done = self.run_command(b"", addr="nowhere")
        self.assertEqual(done.exit_code, 78)
