"""How a command ends when it fails."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import click
from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from txregistry.cli import exits
from txregistry.cli.exits import FAILED, STATUSES, fail, meaning
from txregistry.cli.main import main


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


class StatusTests(SynchronousTestCase):
    """The one table of statuses."""

    def test_all_are_in_it(self) -> None:
        """No command ends with a number of its own."""
        named = {name for name, value in vars(exits).items() if isinstance(value, int)}
        self.assertEqual({getattr(exits, name) for name in named} | {0}, set(STATUSES))
        for path in Path(exits.__file__).parent.glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and "SystemExit" in ast.unparse(
                    node.func
                ):
                    self.assertNotRegex(ast.unparse(node), r"[1-9]", path.name)
                elif isinstance(node, ast.Assign) and path.name != "exits.py":
                    said = ast.unparse(node.targets[0])
                    self.assertNotRegex(said, "^(EX_|EXIT|STATUS)", path.name)

    def test_commands(self) -> None:
        """Each command of the table is there; its own meanings are in its help."""
        for command in sorted(
            {name for of in STATUSES.values() for name in of if name}
        ):
            shown = CliRunner().invoke(main, [*command.split(), "--help"]).output
            self.assertIn("Exit statuses:", shown, command)
            text = " ".join(shown.split())
            for status, of in STATUSES.items():
                if of.get(command):
                    self.assertIn(f"{status} {of[command]}", text)
                elif command in of:
                    self.assertNotIn(of[""], text)

    def test_page(self) -> None:
        """The page of the documentation has the same."""
        page = Path(__file__).parents[2] / "docs" / "exit-statuses.md"
        rows = re.findall(r"^\| (\d+) \| (.*) \|$", page.read_text(), re.M)
        expected = [(str(status), meaning(status)) for status in STATUSES]
        self.assertEqual([(a, b.replace("`", "")) for a, b in rows], expected)
