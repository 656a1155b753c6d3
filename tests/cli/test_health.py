"""``txregistry health``, on sockets that answer by themselves."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml
from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from tests.auth.keys import authority, ec_key, identity
from tests.cli.control import answering
from txregistry.cli.health import wants_certificate
from txregistry.cli.main import main
from txregistry.config.ciphers import CLIENT_AUTH, OPTIONAL_CLIENT_AUTH
from txregistry.config.http import Http, Tls

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


class CertificateTests(SynchronousTestCase):
    """A listener that wants a certificate of each client."""

    def setUp(self) -> None:
        # The path of a socket has a hundred bytes, wherever the tests run.
        self.root = tempfile.mkdtemp(prefix="txr-")
        self.addCleanup(shutil.rmtree, self.root)
        os.makedirs(os.path.join(self.root, "txregistry"))
        self.socket = os.path.join(self.root, "txregistry", "control.sock")
        self.config = os.path.join(self.root, "config.yml")
        issuer = authority("authority", ec_key())
        server = identity("server", ec_key(1), issuer, hosts=["localhost"])
        self.files = server.write(Path(self.root), "server")
        self.write({"filesystem": {"rootdirectory": self.root}})

    def write(self, storage: Any) -> None:
        certificate, key = map(str, self.files)
        tls = {"certificate": certificate, "key": key, "clientcas": [certificate]}
        http = {"addr": "127.0.0.1:1", "tls": tls}
        with open(self.config, "w") as file:
            yaml.safe_dump({"version": "0.1", "storage": storage, "http": http}, file)

    def health(self) -> Result:
        return CliRunner().invoke(main, ["health", self.config])

    def answered(self, problems: dict[str, str]) -> Result:
        with answering(self.socket, {"report": {"problems": problems}}) as asked:
            result = self.health()
        (question,) = asked
        self.assertEqual(question["command"], "health")
        return result

    def test_control_socket(self) -> None:
        """It is asked instead, where no certificate is wanted."""
        done = self.answered({})
        self.assertEqual((done.exit_code, done.output), (0, ""))
        done = self.answered({"storage": "disk full"})
        self.assertEqual(done.exit_code, 1)
        self.assertIn('{"storage": "disk full"}', done.output)
        done = self.health()
        self.assertEqual(done.exit_code, 1)
        self.assertIn("nobody listens at", done.output)

    def test_neither(self) -> None:
        """Without a directory there is no socket: what to do is said."""
        self.write({"inmemory": {}})
        done = self.health()
        self.assertEqual(done.exit_code, 1)
        self.assertIn("set http.debug.addr", done.output)

    def test_who_is_wanted(self) -> None:
        """A certificate that is only asked for is not needed."""
        for way in CLIENT_AUTH:
            tls = Tls(certificate="x", key="x", clientcas=("x",), clientauth=way)
            wanted = wants_certificate(Http(tls=tls))
            self.assertEqual(wanted, way not in OPTIONAL_CLIENT_AUTH)
        self.assertFalse(wants_certificate(Http(tls=Tls(clientcas=("x",)))))
