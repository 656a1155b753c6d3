"""``txregistry pin`` and ``unpin``: what they ask for and say."""

from __future__ import annotations

import json

from tests.cli.images import AskingCase


class PinTests(AskingCase):
    """Patterns in, lines out."""

    def test_changes(self) -> None:
        """A line for each pattern, which says whether it is new."""
        for command, changed, expected in (
            ("pin", True, "a:*: pinned\n"),
            ("pin", False, "a:*: was pinned already\n"),
            ("unpin", True, "a:*: unpinned\n"),
            ("unpin", False, "a:*: was unpinned already\n"),
        ):
            result = self.answered({"changed": changed}, command, "a:*")
            self.assertEqual(result.output, expected)
            self.assertEqual(self.options(), {"pattern": "a:*"})

    def test_json(self) -> None:
        """By pattern."""
        result = self.answered({"changed": True}, "pin", "--json", "a")
        self.assertEqual(json.loads(result.output), {"changed": {"a": True}})

    def test_list(self) -> None:
        """Without a pattern, all that were pinned so."""
        report = {"patterns": ["a", "b:*"]}
        result = self.answered(report, "pin")
        self.assertEqual(result.output, "a\nb:*\n")
        result = self.answered(report, "pin", "--json")
        self.assertEqual(json.loads(result.output), report)
        self.assertEqual(self.run_command("unpin", "-c", self.config).exit_code, 2)
