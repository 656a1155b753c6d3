"""How a command ends when it fails."""

from __future__ import annotations

import json

import click
from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from txregistry.cli.exits import FAILED, STATUSES, fail


class FailTests(SynchronousTestCase):
    """Reasons and statuses."""

    def run_failing(self, *args: object, **options: object) -> tuple[int, str, str]:
        command = click.Command("x", callback=lambda: fail(*args, **options))
        found = CliRunner().invoke(command)
        return found.exit_code, found.stdout, found.stderr

    def test_for_people(self) -> None:
        """The reason is told on stderr, and nothing on stdout."""
        self.assertEqual(self.run_failing("no file"), (FAILED, "", "no file\n"))

    def test_problems(self) -> None:
        """Problems take the place of the reason, a line each, with their status."""
        found = self.run_failing("bad", status=78, problems=["a: x", "b: y"])
        self.assertEqual(found, (78, "", "a: x\nb: y\n"))

    def test_for_machines(self) -> None:
        """As JSON it is an object on stdout as well."""
        _, out, err = self.run_failing("bad", as_json=True)
        self.assertEqual((json.loads(out), err), ({"error": "bad"}, "bad\n"))
        _, out, _ = self.run_failing("bad", as_json=True, problems=["a: x"])
        self.assertEqual(json.loads(out), {"error": "bad", "problems": ["a: x"]})

    def test_statuses(self) -> None:
        """Each status that a command ends with is on its manual page."""
        self.assertLessEqual({0, FAILED, 2, 78}, set(STATUSES))
