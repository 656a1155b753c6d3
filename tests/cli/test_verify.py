"""``txregistry verify``: options, statuses, what is printed, and Ctrl-C."""

from __future__ import annotations

import json
from typing import Any

import yaml
from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from txregistry.cli import verify as verifying
from txregistry.cli.main import main
from txregistry.cli.verify import (
    VerifyFailed,
    VerifyOptions,
)

REPORT: dict[str, Any] = {
    "complete": True,
    "resumed": False,
    "seconds": 1.0,
    "contents": 3,
    "size": 99,
    "skipped": 0,
    "damaged": 0,
    "healed": 0,
    "unreadable": 0,
    "missing": 0,
    "findings": [],
}


class VerifyCase(SynchronousTestCase):
    """The command, with nothing behind it."""

    def setUp(self) -> None:
        self.config = self.mktemp()
        with open(self.config, "w") as file:
            storage = {"filesystem": {"rootdirectory": self.mktemp()}}
            yaml.safe_dump({"version": "0.1", "storage": storage}, file)
        self.asked: list[VerifyOptions] = []
        self.report = REPORT

        def verify(_: Any, options: VerifyOptions, tell: Any, unlocked: bool) -> Any:
            self.asked.append(options)
            for fraction in (0.05, 0.5, 0.55, 1.0):
                made = {"fraction": fraction, "contents": 1, "size": 5, "damaged": 0}
                tell(made)
            return self.report

        self.patch(verifying, "verified", verify)

    def run_command(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["verify", "-c", self.config, *arguments])


class CommandTests(VerifyCase):
    """Options and output."""

    def test_options(self) -> None:
        """Each reaches the daemon; 50 MiB per second if not said."""
        self.run_command()
        self.run_command(
            *("--limit-rate", "1GB", "--repository", "a", "--repository", "b/c"),
            *("--resume", "--skip-recent", "7d"),
        )
        self.assertEqual(
            self.asked,
            [
                VerifyOptions(50 << 20),
                VerifyOptions(1_000_000_000, ("a", "b/c"), True, 7 * 86400.0),
            ],
        )

    def test_usage(self) -> None:
        """A rate that is none is a usage error."""
        self.assertEqual(self.run_command("--limit-rate", "fast").exit_code, 2)
        self.assertEqual(self.asked, [])

    def test_output(self) -> None:
        """Lines of progress where there is no terminal, and the report."""
        result = self.run_command()
        self.assertEqual(result.exit_code, 0)
        self.assertIn("50 %: 1 contents, 5 bytes, 0 damaged", result.output)
        self.assertEqual(result.output.count("%"), 2)
        self.assertIn("read 3 contents of 99 bytes: 0 damaged", result.output)
        self.assertNotIn("%", self.run_command("-q").output)
        self.assertEqual(json.loads(self.run_command("--json").output), REPORT)

    def test_failure(self) -> None:
        """What cannot be done is said, with status 2."""

        def fail(*_: Any) -> None:
            raise VerifyFailed("under way already", 2)

        self.patch(verifying, "verified", fail)
        result = self.run_command()
        self.assertEqual(result.exit_code, 2)
        self.assertIn("under way already", result.output)
