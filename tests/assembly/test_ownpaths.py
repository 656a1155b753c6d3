"""Where the files of a daemon's own are."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.assembly.ownpaths import control_socket, own_path
from txregistry.config.model import Config
from txregistry.config.read import read_config


def config(storage: dict[str, object]) -> Config:
    return read_config({"version": "0.1", "storage": storage})[0]


class OwnPathTests(SynchronousTestCase):
    """In the storage directory, or in that of the unit."""

    def test_runtime_directory(self) -> None:
        """Under systemd the control socket is in the directory of the unit."""
        path = "/x/txregistry/control.sock"
        self.assertEqual(control_socket(path, {}), path)
        for text in ("/run/txregistry", "/run/txregistry:/run/other"):
            variables = {"RUNTIME_DIRECTORY": text}
            found = control_socket(path, variables)
            self.assertRegex(found, r"^/run/txregistry/control-\w{8}\.sock$")
            other = control_socket("/y/txregistry/control.sock", variables)
            self.assertNotEqual(found, other)

    def test_ledger_lies_beside_the_data(self) -> None:
        """In the storage directory, or in memory with storage in memory."""
        self.assertEqual(
            own_path(config({"inmemory": {}}), "ledger.sqlite3"), ":memory:"
        )
        found = own_path(
            config({"filesystem": {"rootdirectory": "/x"}}), "ledger.sqlite3"
        )
        self.assertEqual(found, "/x/txregistry/ledger.sqlite3")
