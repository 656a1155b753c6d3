"""What is asked of systemd, by a command that stands in for its own."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.adopt.fakes import write
from txregistry.adopt.plan import UnitState
from txregistry.adopt.units import Systemctl, UnitFailed

COMMAND = """\
#!/bin/sh
echo "$@" >> "$0.log"
case "$*" in
*--value*) echo failed ;;
show*x.service)
    printf '%s\\n' LoadState=loaded ActiveState=active UnitFileState=enabled ;;
show*) printf '%s\\n' LoadState=not-found ActiveState=inactive UnitFileState= ;;
start*bad*) echo "it is bad" >&2; exit 1 ;;
esac
"""


class UnitsTests(SynchronousTestCase):
    """Questions and orders."""

    def setUp(self) -> None:
        self.path = write(Path(self.mktemp()).absolute() / "systemctl", COMMAND)
        self.path.chmod(0o755)
        self.units = Systemctl(str(self.path))

    def test_states(self) -> None:
        """Whether a unit is there, runs, and is enabled."""
        self.assertEqual(self.units.state("x.service"), UnitState(True, True, True))
        self.assertEqual(self.units.state("y.service"), UnitState())
        self.assertTrue(self.units.failed("x.service"))

    def test_orders(self) -> None:
        """A start forgets earlier failures first."""
        self.units.call("daemon-reload")
        self.units.call("start", "x.service")
        log = Path(f"{self.path}.log").read_text().splitlines()
        expected = ["daemon-reload", "reset-failed x.service", "start x.service"]
        self.assertEqual(log, expected)

    def test_failures(self) -> None:
        """What systemd says is told, and so is a command that is not there."""
        with self.assertRaisesRegex(UnitFailed, "start bad.service: it is bad"):
            self.units.call("start", "bad.service")
        os.unlink(self.path)
        with self.assertRaisesRegex(UnitFailed, "No such file"):
            self.units.state("x.service")
