"""Files of access controllers, looked at before they are used."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.auth.keys import ec_key, identity
from txregistry.auth.check import file_problems, nearest_existing


class CheckTests(SynchronousTestCase):
    """What would fail at the start."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.path = self.directory / "file"

    def problems(self, name: str, **parameters: object) -> list[str]:
        before = sorted(self.directory.rglob("*"))
        found = file_problems(name, parameters)
        self.assertEqual(sorted(self.directory.rglob("*")), before)
        return found

    def test_nothing_to_check(self) -> None:
        """Controllers without files, and parameters that are not given, are right."""
        self.assertEqual(self.problems("silly", path="/nowhere"), [])
        self.assertEqual(self.problems("token", jwks=""), [])
        self.assertEqual(self.problems("htpasswd"), [])

    def test_passwords(self) -> None:
        """A bad line is told with the parameter and the path."""
        self.path.write_text("a:b\n")
        self.assertEqual(self.problems("htpasswd", path=str(self.path)), [])
        self.path.write_text("a\n")
        (problem,) = self.problems("htpasswd", path=str(self.path))
        self.assertTrue(
            problem.startswith(f"path: cannot be used: {self.path}: line 1")
        )

    def test_missing_password_file(self) -> None:
        """One that is missing will be made: right, unless it cannot be."""
        self.assertEqual(self.problems("htpasswd", path=f"{self.path}/a/b"), [])
        self.path.write_text("")
        (problem,) = self.problems("htpasswd", path=f"{self.path}/a/b")
        self.assertIn("is no directory", problem)
        (link := self.directory / "link").symlink_to("nothing")
        (problem,) = self.problems("htpasswd", path=str(link))
        self.assertIn("is a link to nothing", problem)

    def test_directory_without_permission(self) -> None:
        """Nor where nobody may write."""
        self.patch(os, "access", lambda path, mode: False)
        (problem,) = self.problems("htpasswd", path=str(self.path))
        self.assertIn("cannot be written to", problem)

    def test_keys(self) -> None:
        """Both files of tokens are told, each with its own reason."""
        bundle = self.directory / "bundle"
        bundle.write_bytes(identity("ca", key=ec_key()).pem)
        self.assertEqual(self.problems("token", rootcertbundle=str(bundle)), [])
        bundle.write_bytes(b"nothing")
        first, second = self.problems(
            "token", rootcertbundle=str(bundle), jwks=str(self.path)
        )
        self.assertTrue(first.startswith("rootcertbundle: cannot be used: "), first)
        self.assertTrue(second.startswith("jwks: cannot be read: "), second)
        self.assertIn("No such file", second)

    def test_nearest(self) -> None:
        """The nearest directory that exists, at worst the root."""
        found = nearest_existing(f"{self.directory}/x/y/z")
        self.assertEqual(found, str(self.directory.absolute()))
        self.assertEqual(nearest_existing("/no-such-directory-here/x"), "/")
