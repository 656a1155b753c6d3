"""Connecting to a daemon, and what is at its control socket instead."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile

from click.testing import CliRunner
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from txregistry.admin.requester import ourselves
from txregistry.cli import daemon
from txregistry.cli.daemon import DaemonFailed, ask, connect
from txregistry.cli.exits import FAILED, NOT_PERMITTED
from txregistry.cli.main import main


class ConnectCase(SynchronousTestCase):
    """A directory that all may enter, whose names are short."""

    def setUp(self) -> None:
        self.directory = tempfile.mkdtemp(prefix="txr-")
        self.addCleanup(shutil.rmtree, self.directory)
        os.chmod(self.directory, 0o755)
        self.path = os.path.join(self.directory, "s")

    def listen(self, kind: int = socket.SOCK_STREAM, queue: int = 5) -> socket.socket:
        listening = socket.socket(socket.AF_UNIX, kind)
        self.addCleanup(listening.close)
        listening.bind(self.path)
        if kind == socket.SOCK_STREAM:
            listening.listen(queue)
        return listening

    def assertFails(self, expected: str, status: int = FAILED) -> None:
        with self.assertRaisesRegex(DaemonFailed, expected) as caught:
            connect(self.path)
        self.assertEqual(caught.exception.status, status)


class ConnectTests(ConnectCase):
    """Nobody, and those who cannot be asked."""

    def test_nobody(self) -> None:
        """No path, no file or socket, one that a killed daemon left, a long path."""
        self.assertIsNone(connect(""))
        self.assertIsNone(connect(self.path))
        self.assertIsNone(connect(f"{self.path}/x"))
        self.assertIsNone(connect(self.path * 20))
        self.listen().close()
        self.assertIsNone(connect(self.path))
        self.assertIsNone(connect(f"{self.path}/x"))
        os.unlink(self.path)
        with open(self.path, "w"):
            self.assertIsNone(connect(self.path))

    def test_link(self) -> None:
        """A link to the socket is as good, and one to nowhere is nobody."""
        link = os.path.join(self.directory, "link")
        os.symlink("s", link)
        self.assertIsNone(connect(link))
        self.listen()
        connection = connect(link)
        assert connection is not None
        connection.close()

    def test_not_permitted(self) -> None:
        """Another user is told that it is another user, with a status of its own."""
        if os.geteuid() != 0:
            raise SkipTest("only root can be another user")
        self.listen()
        os.chmod(self.path, 0o600)
        config = os.path.join(self.directory, "config.yml")
        with open(config, "w") as file:
            file.write(
                "version: 0.1\n"
                f"storage: {{filesystem: {{rootdirectory: {self.directory}/data}}}}\n"
            )
        os.makedirs(f"{self.directory}/data/txregistry")
        os.symlink(self.path, f"{self.directory}/data/txregistry/control.sock")
        self.load_commands(config)
        for locked in (False, True):
            os.chmod(f"{self.directory}/data/txregistry", 0o700 if locked else 0o755)
            for command in (["reload"], ["garbage-collect"], ["verify", "-c"]):
                os.seteuid(65534)
                try:
                    result = CliRunner().invoke(main, [*command, config])
                finally:
                    os.seteuid(0)
                self.assertEqual(result.exit_code, NOT_PERMITTED, result.output)
                self.assertIn("user nobody may not open", result.output)

    def load_commands(self, config: str) -> None:
        """Import all that they need: another user may not come to where we lie."""
        for command in (
            *("reload --help", "garbage-collect --help", "verify --help"),
            f"config check {config}",
        ):
            result = CliRunner().invoke(main, command.split())
            self.assertEqual(result.exit_code, 0, result.output)
        self.assertTrue(ourselves().who)

    def test_another_kind(self) -> None:
        """A socket for datagrams is no daemon's."""
        self.listen(socket.SOCK_DGRAM)
        self.assertFails("no daemon of txregistry")

    def test_full_queue(self) -> None:
        """A daemon that accepts nobody is waited for, and then given up."""
        self.patch(daemon, "PATIENCE", 0.02)
        self.listen(queue=0)
        first = connect(self.path)
        assert first is not None
        self.addCleanup(first.close)
        self.assertFails("said nothing for 0.02 s")

    def test_anything_else(self) -> None:
        """The reason of the system is told."""
        os.symlink("s", self.path)
        self.assertFails("cannot be opened")


class AskTests(ConnectCase):
    """What answers."""

    def ask(self, *answers: bytes) -> object:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.settimeout(daemon.PATIENCE)
            for answer in answers:
                theirs.sendall(answer)
            if answers:
                theirs.shutdown(socket.SHUT_WR)
            return ask(ours, "verify", {}, lambda _: None)

    def test_signs_of_life(self) -> None:
        """They are no progress."""
        found = self.ask(b'{"alive": true}\n', b'{"report": {"x": 1}}\n')
        self.assertEqual(found, {"x": 1})

    def test_foreign(self) -> None:
        """What speaks another language is told from a daemon that was killed."""
        for text in (b"HTTP/1.1 400 Bad Request\r\n", b"[]\n"):
            with self.assertRaisesRegex(DaemonFailed, "no daemon of txregistry"):
                self.ask(text)
        for text in (b'{"rep', b'{"alive": true}\n'):
            with self.assertRaisesRegex(DaemonFailed, "ended before"):
                self.ask(text)

    def test_silence(self) -> None:
        """A daemon that hangs is given up."""
        self.patch(daemon, "PATIENCE", 0.02)
        with self.assertRaisesRegex(DaemonFailed, "may hang"):
            self.ask()
