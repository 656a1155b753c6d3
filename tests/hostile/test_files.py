"""Files and what else lies about: modes, links, bombs, and a redis that lies."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import tempfile
from pathlib import Path

import attrs
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase, TestCase

from txregistry.config.http import Http
from txregistry.config.read import ConfigurationError, read_config
from txregistry.listening import main_endpoint
from txregistry.loading import load
from txregistry.lock import DirectoryLock


def mode_of(path: str) -> int:
    """Give the mode of a file."""
    return stat.S_IMODE(os.stat(path).st_mode)


class LockTests(SynchronousTestCase):
    """Nobody else can hold the lock of a storage directory."""

    def setUp(self) -> None:
        self.path = os.path.join(self.mktemp(), "own", "lock")

    def start(self) -> None:
        lock = DirectoryLock(self.path)
        lock.startService()
        self.addCleanup(lock.stopService)

    def test_mode(self) -> None:
        """Only its owner can open it, and so hold it; whatever the umask is."""
        self.addCleanup(os.umask, os.umask(0))
        self.start()
        self.assertEqual(mode_of(self.path), 0o600)

    def test_older_file(self) -> None:
        """One that an older release left open to all is closed."""
        os.makedirs(os.path.dirname(self.path))
        Path(self.path).touch()
        os.chmod(self.path, 0o644)
        self.start()
        self.assertEqual(mode_of(self.path), 0o600)

    def test_link(self) -> None:
        """A link in its place is not followed: nothing is made or changed elsewhere."""
        os.makedirs(os.path.dirname(self.path))
        other = os.path.abspath(self.mktemp())
        os.symlink(other, self.path)
        self.assertRaises(OSError, self.start)
        self.assertFalse(os.path.exists(other))


class SocketModeTests(TestCase):
    """Who may connect to a socket in the file system."""

    async def mode(self, **changes: str) -> int:
        """Listen, and give the mode of the socket."""
        from twisted.internet import reactor

        path = os.path.join(tempfile.mkdtemp(), "s")  # a short one
        self.addCleanup(shutil.rmtree, os.path.dirname(path))
        http = attrs.evolve(Http(net="unix", addr=path), **changes)
        port = await main_endpoint(reactor, http, ()).listen(Factory())
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)
            return mode_of(path)
        finally:
            await port.stopListening()

    def test_modes(self) -> Deferred[None]:
        """The key decides; without it anybody may, as before."""

        async def run() -> None:
            self.assertEqual(await self.mode(), 0o666)
            for text, mode in (("0600", 0o600), ("660", 0o660), ("0777", 0o777)):
                self.assertEqual(await self.mode(socketmode=text), mode)

        return ensureDeferred(run())

    def test_as_it_is_written(self) -> None:
        """YAML's number and a variable's text both mean the octal one."""
        path = self.mktemp()
        Path(path).write_text(
            "version: 0.1\nstorage: inmemory\nhttp: {socketmode: 0640}\n"
        )
        self.assertEqual(load(path, {})[0].http.socketmode, "0640")
        changed = {"REGISTRY_HTTP_SOCKETMODE": "0600"}
        self.assertEqual(load(path, changed)[0].http.socketmode, "0600")

    def test_others_are_refused(self) -> None:
        """What is no mode is told by its key."""
        for text in ("rw", "0999", "6", "07777", "-660", "0660 "):
            given = {
                "version": "0.1",
                "storage": "inmemory",
                "http": {"socketmode": text},
            }
            error = self.assertRaises(ConfigurationError, read_config, given)
            self.assertIn("http.socketmode: expected an octal mode", str(error), text)
