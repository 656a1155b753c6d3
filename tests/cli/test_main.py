"""The command and its subcommands."""

from __future__ import annotations

from click import Context
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
        expected |= {"offline", "pin", "status", "unpin"}
        expected |= {"client-config", "explain", "purge", "ready", "refresh", "warm"}
        expected |= {"export", "import"}
        context = Context(main)
        self.assertEqual(set(main.list_commands(context)), expected)
        for name in expected:
            command = main.get_command(context, name)
            self.assertEqual(command.name, name)
            self.assertTrue(command.help, name)
        self.assertIsNone(main.get_command(context, "nonsense"))

    def test_help(self) -> None:
        """The help has a short one of each."""
        output = CliRunner().invoke(main, ["--help"]).output
        self.assertIn("garbage-collect  Delete content that nothing refers to", output)
        result = CliRunner().invoke(main, ["nonsense"])
        self.assertEqual(result.exit_code, 2)
        self.assertIn("No such command 'nonsense'", result.output)
