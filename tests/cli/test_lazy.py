"""Commands that are imported when they are named."""

from __future__ import annotations

import click
from click.shell_completion import ShellComplete
from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from txregistry.cli.lazy import LazyGroup


@click.command("one", short_help="The first.")
def one() -> None:
    """Say it."""
    click.echo("one is said")


class LazyTests(SynchronousTestCase):
    """A group of one command that is there, and one whose module is not."""

    def setUp(self) -> None:
        places = {"one": f"{__name__}:one", "broken": "txregistry.nowhere:command"}
        self.group = LazyGroup("group", places=places)

    def test_named(self) -> None:
        """What is named is imported, and nothing else is."""
        result = CliRunner().invoke(self.group, ["one"])
        self.assertEqual((result.exit_code, result.output), (0, "one is said\n"))
        result = CliRunner().invoke(self.group, ["broken"])
        self.assertIsInstance(result.exception, ImportError)

    def test_names(self) -> None:
        """All are listed; what is none is said to be so."""
        context = click.Context(self.group)
        self.assertEqual(self.group.list_commands(context), ["broken", "one"])
        result = CliRunner().invoke(self.group, ["two"])
        self.assertEqual(result.exit_code, 2)
        self.assertIn("No such command 'two'", result.output)

    def test_completion(self) -> None:
        """A shell is told those that begin with what was typed, with their helps."""
        complete = ShellComplete(self.group, {}, "group", "_GROUP_COMPLETE")
        (found,) = complete.get_completions([], "o")
        self.assertEqual((found.value, found.help), ("one", "The first."))
