"""Files that a configuration names: what a start refuses, ``--check`` refuses."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives import serialization
from twisted.trial.unittest import SynchronousTestCase

from tests.auth.keys import Identity, ec_key, identity
from txregistry.assembly.loading import load
from txregistry.config.model import Config
from txregistry.config.read import ConfigurationError
from txregistry.tap import Options

TOKEN = {"realm": "https://a/token", "service": "s", "issuer": "i"}


class FilesCase(SynchronousTestCase):
    """A directory with files of each kind."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.one = identity("one", ec_key(1), None, True)
        self.other = identity("other", ec_key(2), None, True)
        for name, content in (
            ("empty", b""),
            ("text", b"some text\nwithout anything\n"),
            (
                "broken",
                b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
            ),
            ("one.crt", self.one.pem),
            ("one.key", self.one.key_pem),
            ("other.key", self.other.key_pem),
            ("locked.key", encrypted(self.one)),
            ("noted.key", b"friendlyName: my ENCRYPTED thing\n" + self.one.key_pem),
            ("passwd", b"# nobody\n"),
            ("colonless", b"# fine\na:b\n\nno colon here\n"),
            ("latin", b"a:b\nj\xfcrgen:x\n"),
            ("list.json", b"[]"),
        ):
            (self.directory / name).write_bytes(content)
        (self.directory / "dir").mkdir()
        (self.directory / "dangling").symlink_to(self.directory / "gone" / "x")

    def path(self, name: str) -> str:
        return str(self.directory / name)

    def write(self, config: dict[str, Any]) -> str:
        path = self.directory / "config.yml"
        head = {"version": "0.1", "storage": "inmemory"}
        path.write_text(yaml.safe_dump({**head, **config}))
        return str(path)

    def load(self, config: dict[str, Any], **environment: str) -> Config:
        return load(self.write(config), environment)[0]

    def problems(self, config: dict[str, Any], **environment: str) -> list[str]:
        """Give the problems; ``--check`` and a start write the same ones."""
        path = self.write(config)
        with self.assertRaises(ConfigurationError) as caught:
            load(path, environment)
        self.patch(os, "environ", environment)
        for options in (["-c", path, "--check"], ["-c", path]):
            err = io.StringIO()
            self.patch(sys, "stderr", err)
            with self.assertRaises(SystemExit) as ended:
                Options().parseOptions(options)
            self.assertEqual(ended.exception.code, 78)
            self.assertEqual(err.getvalue().splitlines(), caught.exception.problems)
        return caught.exception.problems

    def check(self, config: dict[str, Any], expected: str) -> None:
        """Check that there is this one problem, and that nothing was made."""
        self.write(config)
        before = sorted(self.directory.rglob("*"))
        expected = expected.replace("DIR", str(self.directory))
        self.assertEqual(self.problems(config), [expected])
        self.assertEqual(sorted(self.directory.rglob("*")), before)


def encrypted(who: Identity) -> bytes:
    """Give a key as PEM that a password protects."""
    return who.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"x"),
    )


class AccessTests(FilesCase):
    """Files of access controllers."""

    def test_htpasswd(self) -> None:
        """A password file that cannot be read or made is told by its key."""
        for name, expected in (
            ("dir", "cannot be read: DIR/dir: Is a directory"),
            ("colonless", "cannot be used: DIR/colonless: line 4: expected name:hash"),
            ("passwd/below", "cannot be made: DIR/passwd is no directory"),
            ("passwd/far/below", "cannot be made: DIR/passwd is no directory"),
            ("dangling", "cannot be made: DIR/dangling is a link to nothing"),
        ):
            htpasswd = {"realm": "r", "path": self.path(name)}
            problem = f"auth.htpasswd.path: {expected}"
            self.check({"auth": {"htpasswd": htpasswd}}, problem)

    def test_htpasswd_that_will_be_made(self) -> None:
        """One that is missing is made by a start, and not by a check."""
        path = self.path("deep/down/passwd")
        self.load({"auth": {"htpasswd": {"realm": "r", "path": path}}})
        self.assertFalse(os.path.exists(self.path("deep")))

    def test_htpasswd_in_a_place_that_cannot_be_written(self) -> None:
        """One that is missing where nothing can be made is refused."""
        self.patch(os, "access", lambda path, mode: not mode & os.W_OK)
        htpasswd = {"realm": "r", "path": self.path("new")}
        self.check(
            {"auth": {"htpasswd": htpasswd}},
            "auth.htpasswd.path: cannot be made: DIR cannot be written to",
        )

    def test_token(self) -> None:
        """Files of keys that are missing, directories or empty are told."""
        for parameter, name, expected in (
            ("rootcertbundle", "gone", "cannot be read: DIR/gone: No such file or"),
            ("rootcertbundle", "dir", "cannot be read: DIR/dir: Is a directory"),
            ("rootcertbundle", "passwd/x", "cannot be read: DIR/passwd/x: Not a dire"),
            ("rootcertbundle", "empty", "cannot be used: DIR/empty: holds no certif"),
            ("rootcertbundle", "text", "cannot be used: DIR/text: holds no certif"),
            ("rootcertbundle", "one.key", "cannot be used: DIR/one.key: holds no cer"),
            ("rootcertbundle", "broken", "cannot be used: DIR/broken: certificate 1"),
            ("jwks", "gone", "cannot be read: DIR/gone: No such file"),
            ("jwks", "dir", "cannot be read: DIR/dir: Is a directory"),
            ("jwks", "empty", "cannot be used: DIR/empty: is no JSON"),
            ("jwks", "latin", "cannot be used: DIR/latin: is no JSON"),
            (
                "jwks",
                "list.json",
                "cannot be used: DIR/list.json: holds no usable keys",
            ),
        ):
            token = {**TOKEN, parameter: self.path(name)}
            (found,) = self.problems({"auth": {"token": token}})
            reason = expected.replace("DIR", str(self.directory))
            self.assertTrue(
                found.startswith(f"auth.token.{parameter}: {reason}"), found
            )

    def test_token_that_can_be_used(self) -> None:
        """A bundle with a certificate is taken."""
        token = {**TOKEN, "rootcertbundle": self.path("one.crt")}
        self.load({"auth": {"token": token}})

    def test_unknown_controller(self) -> None:
        """A controller that no package offers is told by the check as well."""
        self.check(
            {"auth": {"nosuch": {}}}, "auth.nosuch: expected htpasswd or silly or token"
        )


class OtherTests(FilesCase):
    """What else a start refuses."""

    def test_root(self) -> None:
        """A root of the storage that is a file, or below one, is refused."""
        for name in ("text", "text/below", "text/far/below"):
            storage = {"filesystem": {"rootdirectory": self.path(name)}}
            expected = "storage.filesystem.rootdirectory: DIR/text is no directory"
            self.check({"storage": storage}, expected)

    def test_egress(self) -> None:
        """An egress proxy that cannot be used is told by its variable."""
        (found,) = self.problems(
            {"proxy": {"remoteurl": "https://a"}}, HTTPS_PROXY="socks5://u:hush@a:1"
        )
        self.assertTrue(found.startswith("HTTPS_PROXY: "))
        self.assertNotIn("hush", found)

    def test_all_at_once(self) -> None:
        """Files are told beside all other problems, each once."""
        found = self.problems(
            {
                "log": {"level": "loud"},
                "catalog": {"maxentries": "x"},
                "auth": {"htpasswd": {"realm": "r", "path": self.path("dir")}},
                "http": {
                    "tls": {
                        "certificate": self.path("empty"),
                        "key": self.path("gone"),
                    }
                },
            }
        )
        self.assertEqual(
            sorted(line.partition(": ")[0] for line in found),
            ["auth.htpasswd.path", "catalog.maxentries", "http.tls.key", "log.level"],
        )
