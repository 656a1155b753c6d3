"""``txregistry offline``: what it asks for and says."""

from __future__ import annotations

import json

from tests.cli.images import AskingCase


class OfflineTests(AskingCase):
    """On, off, or only a look."""

    def test_states(self) -> None:
        """What is wanted is asked for, and what is so is said."""
        for words, options, is_on in (
            (("on",), {"on": True}, True),
            (("off",), {"on": False}, False),
            ((), {}, True),
        ):
            report = {"offline": is_on, "changed": True}
            result = self.answered(report, "offline", *words)
            self.assertEqual(self.options(), options)
            self.assertEqual("no upstream is asked" in result.output, is_on)
        result = self.answered(report, "offline", "--json")
        self.assertEqual(json.loads(result.output), report)

    def test_nonsense(self) -> None:
        """Another state is a wrong command line."""
        result = self.run_command("offline", "-c", self.config, "maybe")
        self.assertEqual(result.exit_code, 2)
