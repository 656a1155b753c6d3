"""Where downloads lie, and the files of one process."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import attrs
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.assembly.context import Context, make_context
from txregistry.assembly.ownpaths import own_path, state_directory
from txregistry.assembly.spool import make_spool
from txregistry.config.model import Config
from txregistry.config.read import read_config
from txregistry.flow.disk import InlineDisk
from txregistry.storagedriver.maker import make_driver

ROOT = {"rootdirectory": "/r"}
SHARED = {**ROOT, "shared": True}
SYSTEMD = {"STATE_DIRECTORY": "/var/lib/one:/var/lib/two"}


def config(driver: dict[str, object], cache: bool = True, **storage: object) -> Config:
    found: dict[str, object] = {"version": "0.1", "storage": {**driver, **storage}}
    if cache:
        found["proxy"] = {"remoteurl": "http://upstream.example"}
    return read_config(found)[0]


class StateDirectoryTests(SynchronousTestCase):
    """Which directory the files of one process have."""

    def check(self, expected: str, found: Config, variables: object = None) -> None:
        self.assertEqual(state_directory(found, variables or {}), expected)
        path = own_path(found, "x", "none", variables or {})
        self.assertEqual(path, f"{expected}/x" if expected else "none")

    def test_alone(self) -> None:
        """In the storage directory, whatever systemd says; or where one wants it."""
        for variables in ({}, SYSTEMD):
            self.check("/r/txregistry", config({"filesystem": ROOT}), variables)
        named = config({"filesystem": ROOT}, statedirectory="/s")
        self.check("/s", named, SYSTEMD)
        self.assertTrue(named.storage.is_exclusive)

    def test_shared(self) -> None:
        """That of systemd, or none."""
        for driver in ({"filesystem": SHARED}, {"inmemory": {}}):
            found = config(driver)
            self.check("", found)
            self.check("/var/lib/one", found, SYSTEMD)
            self.check("/s", config(driver, statedirectory="/s"), SYSTEMD)
            self.assertFalse(found.storage.is_exclusive)

    def test_storage_in_the_directory_of_the_service(self) -> None:
        """Then they lie in it as ever."""
        found = config({"filesystem": SHARED})
        self.check("/r/txregistry", found, {"STATE_DIRECTORY": "/r"})
        for both in ("/r:/s", "/s:/r"):
            self.check("/s", found, {"STATE_DIRECTORY": both})

    def test_unit_of_several_processes(self) -> None:
        """Each has its own, be the storage in a directory of the unit or elsewhere."""
        unit = (Path(__file__).parents[2] / "debian/txregistry@.service").read_text()
        (line,) = re.findall("^StateDirectory=(.*)$", unit, re.M)
        names = line.replace("%i", "1").split()
        given = {"STATE_DIRECTORY": ":".join(f"/var/lib/{name}" for name in names)}
        for root in ("/var/lib/txregistry", "/srv/registry"):
            storage = {"rootdirectory": root, "shared": True}
            found = config({"filesystem": storage})
            self.check("/var/lib/txregistry-process-1", found, given)


class SpoolTests(SynchronousTestCase):
    """Where downloads lie."""

    def make(self, found: Config, **variables: str):
        clock = Clock()
        context: Context = make_context(found, clock, variables, lambda: 0.5)
        context = attrs.evolve(context, environment=variables)
        storage = found.storage
        driver = make_driver(storage.driver, storage.parameters, InlineDisk(), clock)
        return make_spool(context, driver, InlineDisk())

    def test_none(self) -> None:
        """In the storage, if it is for one process; a registry has none."""
        for found in (
            config({"filesystem": ROOT}),
            config({"inmemory": {}}),
            config({"filesystem": SHARED}, cache=False),
        ):
            self.assertIsNone(self.make(found).files)

    def test_kept(self) -> None:
        """In the directory of the process, for the next one."""
        spool = self.make(config({"filesystem": SHARED}), STATE_DIRECTORY="/s")
        self.assertEqual((spool.files._root, spool.services), ("/s/spool", ()))

    def test_temporary(self) -> None:
        """Without one, in a directory that goes with the process."""
        spool = self.make(config({"filesystem": SHARED}))
        (service,) = spool.services
        self.assertEqual(os.path.dirname(spool.files._root), tempfile.gettempdir())
        self.assertEqual(service._path, spool.files._root)
