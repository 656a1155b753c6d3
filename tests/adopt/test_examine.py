"""Everything together, before anything is done."""

from __future__ import annotations

import getpass
import json
import os
from pathlib import Path
from random import Random

import attrs
from twisted.trial.unittest import SynchronousTestCase

from tests.adopt.fakes import IDLE, OLD, OURS, RUNNING, FakeUnits, write
from txregistry.adopt.examine import (
    Examination,
    ExamineOptions,
    OldReading,
    examine,
)
from txregistry.adopt.facts import free_name
from txregistry.adopt.findings import Finding, Level
from txregistry.adopt.old import OldService
from txregistry.adopt.plan import UnitState
from txregistry.adopt.steps import WriteFile
from txregistry.adopt.units import UnitFailed
from txregistry.config.http import Http
from txregistry.config.model import Config
from txregistry.config.storage import Storage


class ExamineTests(SynchronousTestCase):
    """An old service with its directory."""

    def setUp(self) -> None:
        top = Path(self.mktemp()).absolute()
        self.root = top / "data"
        write(self.root / "docker/registry/v2/repositories/a/_layers/x")
        self.old = OldService(
            OLD, getpass.getuser(), config=str(write(top / "old.yml", "version: 0.1\n"))
        )
        self.units = FakeUnits({OLD: RUNNING, OURS: IDLE})
        storage = Storage("filesystem", {"rootdirectory": str(self.root)})
        self.config = Config("0.1", storage, http=Http(addr=":5000"))

    def examine(self, reading: OldReading | None = None) -> Examination:
        reading = reading or OldReading(self.config)
        return examine(self.old, reading, self.units, ExamineOptions(), Random(1))

    def told(self, level: Level, **changes: object) -> list[str]:
        found = self.examine(OldReading(self.config, **changes))
        return [item.about for item in found.findings if item.level == level]

    def test_all_is_well(self) -> None:
        """There is a plan, and nothing in its way."""
        found = self.examine()
        self.assertEqual(found.survey.repositories, 1)
        self.assertEqual(self.told(Level.CANNOT), [])
        self.assertIn("nothing: the address stays :5000", found.clients)
        (config, *_) = (step for step in found.steps if isinstance(step, WriteFile))
        self.assertIn("version: 0.1\n", config.content)
        self.assertEqual((config.uid, config.gid), (os.getuid(), os.getgid()))

    def test_report(self) -> None:
        """The report for machines is JSON, without the values of variables."""
        self.old = attrs.evolve(self.old, environment={"REGISTRY_X": "hidden"})
        text = json.dumps(self.examine().as_json())
        self.assertNotIn("hidden", text)
        report = json.loads(text)
        self.assertEqual(report["variables"], ["REGISTRY_X"])
        self.assertEqual(report["storage"]["repositories"], 1)
        self.assertTrue(report["steps"])

    def test_wrong_configuration(self) -> None:
        """With one that we refuse there is no plan."""
        found = self.examine(OldReading(None, ["http.addr: is wrong"]))
        self.assertEqual(found.verdict, Level.CANNOT)
        self.assertEqual((found.survey, found.steps), (None, []))

    def test_nobody(self) -> None:
        """Nor without the user that the old service names."""
        self.old = attrs.evolve(self.old, user="nobody-of-that-name")
        self.assertEqual(self.examine().verdict, Level.CANNOT)

    def test_no_service_of_ours(self) -> None:
        """Nor without a unit of ours."""
        del self.units.states[OURS]
        self.assertEqual(self.told(Level.CANNOT), [OURS])
        self.assertEqual(self.examine().steps, [])

    def test_no_systemd(self) -> None:
        """Nor where systemd does not answer; the directory is looked at as ever."""

        def state(unit: str) -> UnitState:
            raise UnitFailed("no systemd")

        self.patch(FakeUnits, "state", lambda units, unit: state(unit))
        self.assertEqual(self.told(Level.CANNOT), ["systemd"])
        self.assertEqual(self.examine().survey.repositories, 1)

    def test_old_service_that_does_not_run(self) -> None:
        """Nobody knows whether it ever worked."""
        self.units.states[OLD] = IDLE
        self.assertIn(OLD, self.told(Level.LOOK))
        self.assertTrue(self.examine().steps)

    def test_variables(self) -> None:
        """Those that we do not read are noted by name."""
        self.old = attrs.evolve(self.old, environment={"GOGC": "1", "REGISTRY_A": "2"})
        self.assertEqual(self.told(Level.NOTE), ["GOGC"])

    def test_what_was_found_before(self) -> None:
        """Is told as well."""
        finding = Finding(Level.CANNOT, OLD, "is odd")
        self.old = attrs.evolve(self.old, findings=(finding,))
        self.assertEqual(self.told(Level.CANNOT), [OLD])

    def test_names_that_are_free(self) -> None:
        """A file that is kept takes the place of no other one."""
        path = str(self.root / "file")
        self.assertEqual(free_name(path), f"{path}.before-adopt")
        write(Path(f"{path}.before-adopt"))
        self.assertEqual(free_name(path), f"{path}.before-adopt1")
