"""The secret of a registry that was given none."""

from __future__ import annotations

import errno
import os
import stat
from unittest.mock import Mock

from twisted.trial.unittest import SynchronousTestCase

from txregistry.daemon import secret as module
from txregistry.daemon.secret import Secret, kept_secret


class SecretTests(SynchronousTestCase):
    """It is made once, for nobody else to read."""

    def setUp(self) -> None:
        self.directory = self.mktemp()
        self.path = os.path.join(self.directory, "own", "secret")

    def test_kept(self) -> None:
        """The next process has the same."""
        secret = kept_secret(self.path)
        self.assertEqual(len(secret), 32)
        self.assertEqual(kept_secret(self.path), secret)
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
        self.assertEqual(os.listdir(os.path.dirname(self.path)), ["secret"])

    def test_service(self) -> None:
        """What the configuration gives comes first."""
        given, kept = Secret(b"given", self.path), Secret(b"", self.path)
        for service in (given, kept):
            service.startService()
        self.assertEqual(given.value(), b"given")
        self.assertEqual(kept.value(), kept_secret(self.path))

    def test_cut_off(self) -> None:
        """One that a power failure has emptied is made anew."""
        first = kept_secret(self.path)
        os.truncate(self.path, 0)
        second = kept_secret(self.path)
        self.assertNotEqual(second, first)
        self.assertEqual(kept_secret(self.path), second)

    def test_full_disk(self) -> None:
        """Where it cannot be written nothing is left of the attempt."""

        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        self.patch(os, "fsync", full)
        first, second = kept_secret(self.path), kept_secret(self.path)
        self.assertNotEqual(first, second)
        self.assertEqual(os.listdir(os.path.dirname(self.path)), [])

    def test_nowhere(self) -> None:
        """Without a place for it, each process has its own."""
        self.assertNotEqual(kept_secret(""), kept_secret(""))
        with open(self.mktemp(), "wb") as file:
            taken = os.path.join(file.name, "secret")
        self.assertNotEqual(kept_secret(taken), kept_secret(taken))

    def test_two_processes(self) -> None:
        """The one that makes it first decides for the other, which starts as well."""
        found: list[bytes] = []
        link = os.link

        def slow(source: str, target: str) -> None:
            self.patch(os, "link", link)
            found.append(kept_secret(self.path))
            link(source, target)

        self.patch(os, "link", slow)
        self.assertEqual([kept_secret(self.path)], found)
        self.assertEqual(os.listdir(os.path.dirname(self.path)), ["secret"])

    def test_no_hard_links(self) -> None:
        """A file system without them keeps it all the same."""
        self.patch(os, "link", Mock(side_effect=OSError(errno.EPERM, "no")))
        self.assertEqual(kept_secret(self.path), kept_secret(self.path))

    def test_others_cannot_know_it(self) -> None:
        """That is told at the start."""
        told: list[str] = []
        self.patch(module, "_log", Mock(warn=told.append))
        for given in (b"", b"given"):
            Secret(given, "", is_apart=True).startService()
        self.assertEqual(len(told), 1)
        self.assertIn("http.secret is not set", told[0])
