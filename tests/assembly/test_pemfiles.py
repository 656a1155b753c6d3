"""PEM files are read as they are named."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from txregistry.assembly.pemfiles import read_tls_files, redis_tls_files
from txregistry.config.read import read_config
from txregistry.remote.transport import TlsFiles


class PemTests(SynchronousTestCase):
    """What a section names."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        for name in ("one", "two"):
            (self.directory / name).write_text(f"{name} ")
        one, two = (str(self.directory / name) for name in ("one", "two"))
        given = {
            "version": "0.1",
            "storage": "inmemory",
            "proxy": {"remoteurl": "https://a", "tls": {"ca": one, "insecure": True}},
            "redis": {"addr": "a:1", "tls": {"rootcas": [one, two]}},
        }
        self.config = read_config(given)[0]

    def test_read(self) -> None:
        """What is not named is empty; authorities of redis are put together."""
        self.assertEqual(
            read_tls_files(self.config.proxy), TlsFiles(b"one ", insecure=True)
        )
        self.assertEqual(redis_tls_files(self.config.redis), TlsFiles(b"one two "))

    def test_gone(self) -> None:
        """A file that is gone is told."""
        (self.directory / "one").unlink()
        self.assertRaises(OSError, read_tls_files, self.config.proxy)
