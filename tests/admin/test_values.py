"""What is sent of reports, and how failures are called in the audit trail."""

from __future__ import annotations

from enum import Enum

import attrs
from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from txregistry.admin.values import outcome_of
from txregistry.interfaces.audit import FAILED, REFUSED, STOPPED
from txregistry.spec.values import as_values


class Colour(Enum):
    """Anything that has a value."""

    RED = "red"


@attrs.frozen
class Report:
    """A report in a report."""

    colour: Colour
    inner: tuple[object, ...] = ()


class ValueTests(SynchronousTestCase):
    """Values and outcomes."""

    def test_values(self) -> None:
        """Reports and enumerations are plain values, however deep they lie."""
        report = Report(Colour.RED, (Report(Colour.RED), 1.5))
        inner = {"colour": "red", "inner": ()}
        self.assertEqual(as_values(report), {"colour": "red", "inner": (inner, 1.5)})

    def test_outcomes(self) -> None:
        """A refusal is what the work says is one."""
        for error, expected in (
            (ValueError("x"), REFUSED),
            (OSError("x"), FAILED),
            (CancelledError(), STOPPED),
            (KeyboardInterrupt(), FAILED),
        ):
            self.assertEqual(outcome_of(error, ValueError), expected)
