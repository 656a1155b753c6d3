"""Asking a registry whether it works, and waiting until it does."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import attrs
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.integration.tls import Authority
from txregistry.adopt.probe import NoAnswer, Probe, wait
from txregistry.config.http import Http, Tls
from txregistry.config.model import Config
from txregistry.config.storage import Storage


def config(**http: object) -> Config:
    return Config("0.1", Storage("inmemory"), http=Http(**http))


class ProbeTests(SynchronousTestCase):
    """One question."""

    def serve(
        self,
        answer: bytes,
        listener: socket.socket,
        context: ssl.SSLContext | None = None,
    ) -> None:
        """Answer one connection."""
        listener.listen()
        self.addCleanup(listener.close)

        def run() -> None:
            plain, _ = listener.accept()
            with plain, contextlib.suppress(OSError):
                line = plain
                if context is not None:
                    line = context.wrap_socket(plain, server_side=True)
                with line:
                    self.asked = line.recv(65_536)
                    line.sendall(answer)

        thread = threading.Thread(target=run)
        thread.start()
        self.addCleanup(thread.join)

    def tcp(self, answer: bytes, context: ssl.SSLContext | None = None) -> Probe:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        self.serve(answer, listener, context)
        return Probe("tcp", f":{listener.getsockname()[1]}", context is not None)

    def test_of_configurations(self) -> None:
        """The address, the scheme and the prefix are those of the configuration."""
        self.assertEqual(Probe.of(config(addr=":5000")).url, "http://:5000/v2/")
        secure = config(addr=":443", prefix="/x/", tls=Tls("/c.pem", "/k.pem"))
        self.assertEqual(Probe.of(secure).url, "https://:443/x/v2/")

    def test_statuses(self) -> None:
        """Welcome, or who are you; anything else is no registry that works."""
        for status, expected in ((200, True), (401, True), (503, False), (404, False)):
            line = f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n"
            self.assertIs(self.tcp(line.encode()).answers(), expected, status)
        self.assertIn(b"GET /v2/ HTTP/1.1\r\n", self.asked)

    def test_other_answers(self) -> None:
        """Nor is what speaks another language, or nobody."""
        probe = self.tcp(b"220 mail.example ESMTP\r\n")
        self.assertFalse(probe.answers())
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.assertFalse(Probe("tcp", f"127.0.0.1:{port}").answers())
        secure = attrs.evolve(self.tcp(b"HTTP/1.1 400 X\r\n\r\n"), is_tls=True)
        self.assertFalse(secure.answers())
        plain = attrs.evolve(self.tcp(b"HTTP/1.1 400 X\r\n\r\n"), is_tls=True)
        self.assertFalse(attrs.evolve(plain, wants_ours=True).answers())

    def test_tls(self) -> None:
        """A certificate of any name does; one that asks for ours is there as well."""
        authority = Authority(Path(self.mktemp()))
        issued = authority.issue("registry.example")
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for asks in (ssl.CERT_NONE, ssl.CERT_REQUIRED):
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(issued.certificate, issued.key)
                context.load_verify_locations(authority.path)
                context.maximum_version, context.verify_mode = version, asks
                wants = asks != ssl.CERT_NONE
                probe = attrs.evolve(self.tcp(answer, context), wants_ours=wants)
                self.assertTrue(probe.answers(), (version, asks))

    def test_unix_socket(self) -> None:
        """A Unix socket is asked by its path."""
        path = os.path.relpath(self.mktemp())
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        self.serve(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", listener)
        self.assertTrue(Probe("unix", path).answers())


class FakeProbe(Probe):
    """Answers after some questions."""

    def answers(self) -> bool:
        questions.append(1)
        return len(questions) > 3


questions: list[int] = []


class WaitTests(SynchronousTestCase):
    """Many questions."""

    def wait(self, patience: float, failed: Callable[[], bool]) -> float:
        questions.clear()
        clock = Clock()
        wait(FakeProbe("tcp", ":1"), failed, patience, clock.seconds, clock.advance)
        return clock.seconds()

    def test_answer(self) -> None:
        """Asks until it is answered."""
        self.assertAlmostEqual(self.wait(60, lambda: False), 0.6)

    def test_patience(self) -> None:
        """Gives up in time."""
        with self.assertRaisesRegex(NoAnswer, "within 0.3 s"):
            self.wait(0.3, lambda: False)

    def test_failure(self) -> None:
        """Does not wait for a service that has failed."""
        with self.assertRaisesRegex(NoAnswer, "failed before"):
            self.wait(60, lambda: True)
        self.assertEqual(len(questions), 1)
