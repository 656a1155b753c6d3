"""The command and its subcommands."""

from __future__ import annotations

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from txregistry import __version__
from txregistry.cli.main import main


class MainTests(SynchronousTestCase):
    """What there is."""

    def test_version(self) -> None:
        """It says which version it is."""
        result = CliRunner().invoke(main, ["--version"])
        self.assertIn(__version__, result.output)

    def test_commands(self) -> None:
        """Each command is there by its name, with a sentence about it."""
        expected = {"adopt", "config", "garbage-collect", "health", "reload", "verify"}
        self.assertEqual(set(main.commands), expected)
        for name, command in main.commands.items():
            self.assertTrue(command.help, name)
