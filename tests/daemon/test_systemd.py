"""What the service manager is told, and what its variables say."""

from __future__ import annotations

import os
import secrets
import socket
import tempfile
from pathlib import Path

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from txregistry.daemon.systemd import Manager, message


class MessageTests(SynchronousTestCase):
    """Datagrams as text."""

    def test_lines(self) -> None:
        """A field in each line."""
        self.assertEqual(
            message({"READY": "1", "STATUS": "ä"}), b"READY=1\nSTATUS=\xc3\xa4"
        )

    def test_breaks(self) -> None:
        """No text can bring in a field of its own."""
        text = "a\nSTOPPING=1\r\u2028b"
        self.assertEqual(message({"STATUS": text}), b"STATUS=a STOPPING=1  b")

    def test_surrogates(self) -> None:
        """A file name that is no UTF-8 can be named."""
        self.assertEqual(message({"STATUS": "a\udcff"}), b"STATUS=a?")


class VariableTests(SynchronousTestCase):
    """What the environment says."""

    def test_none(self) -> None:
        """Without the variable nobody is told; other kinds of address are not ours."""
        for text in ("", "vsock:2:9", "relative"):
            manager = Manager.of({"NOTIFY_SOCKET": text, "WATCHDOG_USEC": "9"}, 1)
            self.assertFalse(manager.is_there)
            self.assertEqual(manager.watchdog_seconds, 0)
            manager.ready("nothing is sent")

    def test_watchdog(self) -> None:
        """It is for the process that it names, or for whoever reads it."""
        for variables, seconds in (
            ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "7"}, 3.0),
            ({"WATCHDOG_USEC": "500000"}, 0.5),
            ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "8"}, 0.0),
            ({"WATCHDOG_USEC": "soon"}, 0.0),
            ({}, 0.0),
        ):
            manager = Manager.of({"NOTIFY_SOCKET": "/x", **variables}, 7)
            self.assertEqual(manager.watchdog_seconds, seconds, variables)


class SendTests(SynchronousTestCase):
    """Messages on a real socket."""

    def listen(self, name: str) -> socket.socket:
        receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(receiver.close)
        receiver.bind(name)
        receiver.settimeout(10)
        return receiver

    def test_verbs(self) -> None:
        """Each says what sd_notify(3) asks for."""
        path = Path(tempfile.mkdtemp()) / "s"
        self.addCleanup(path.parent.rmdir)
        self.addCleanup(path.unlink)
        receiver = self.listen(str(path))
        manager = Manager.of({"NOTIFY_SOCKET": str(path)}, os.getpid())
        manager.ready("serving")
        manager.stopping(40)
        manager.status("waiting")
        manager.watchdog()
        manager.extend(1.5)
        for expected in (
            b"READY=1\nSTATUS=serving",
            b"STOPPING=1\nEXTEND_TIMEOUT_USEC=40000000",
            b"STATUS=waiting",
            b"WATCHDOG=1",
            b"EXTEND_TIMEOUT_USEC=1500000",
        ):
            self.assertEqual(receiver.recv(1000), expected)
        manager.reloading()
        self.assertRegex(receiver.recv(1000), rb"^RELOADING=1\nMONOTONIC_USEC=\d+$")

    def test_abstract(self) -> None:
        """An address with an @ is a name in no file system."""
        name = f"txregistry-test-{secrets.token_hex(8)}"
        receiver = self.listen(f"\0{name}")
        Manager.of({"NOTIFY_SOCKET": f"@{name}"}, 1).watchdog()
        self.assertEqual(receiver.recv(1000), b"WATCHDOG=1")

    def test_nobody_reads(self) -> None:
        """A manager that has gone is a line in the log, and no error."""
        events: list = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        Manager("/nowhere/at/all").ready("serving")
        self.assertIn("No such file", events[-1]["error"])
