"""What a report of ``txregistry verify`` comes to."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.cli.test_verify import REPORT
from txregistry.cli.verify_report import report_lines, verified_status


def finding(outcome: str, size: int = 9) -> dict[str, Any]:
    return {
        "digest": "sha256:x",
        "size": size,
        "outcome": outcome,
        "repositories": ["a", "b"],
    }


class ReportTests(SynchronousTestCase):
    """What a report comes to."""

    def test_status(self) -> None:
        """Damage counts more than what could not be read."""
        for changes, expected in (
            ({}, 0),
            ({"damaged": 1, "healed": 1}, 1),
            ({"missing": 1}, 1),
            ({"unreadable": 1}, 2),
            ({"complete": False}, 2),
            ({"complete": False, "damaged": 1}, 1),
        ):
            self.assertEqual(verified_status({**REPORT, **changes}), expected, changes)

    def test_lines(self) -> None:
        """Each finding is named with what became of it and who links it."""
        outcomes = ("healed", "set aside", "cannot be set aside", "cannot be read")
        report = {**REPORT, "findings": [finding(outcome) for outcome in outcomes]}
        lines = list(report_lines(report, True))
        self.assertEqual(len(lines), 5)
        self.assertEqual(
            lines[0],
            "damaged, fetched again from the upstream: sha256:x (9 bytes);"
            " linked by a, b",
        )
        report = {**REPORT, "findings": [finding("missing", 0)], "skipped": 4}
        lines = list(report_lines(report, True))
        self.assertEqual(lines[0], "missing: sha256:x; linked by a, b")
        self.assertIn("4 skipped", lines[1])

    def test_interrupted(self) -> None:
        """It says how to go on, if that is possible."""
        report = {**REPORT, "complete": False}
        self.assertIn("--resume", list(report_lines(report, True))[-1])
        self.assertNotIn("--resume", list(report_lines(report, False))[-1])
