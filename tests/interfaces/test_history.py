"""Spans of a history."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.history import Span


class SpanTests(SynchronousTestCase):
    """Steps, and how many are kept."""

    def test_spans(self) -> None:
        """A minute for a day, an hour for a month, a day for two years."""
        found = {span.value: (span.step, span.kept) for span in Span}
        self.assertEqual(
            found, {"day": (60, 1440), "month": (3600, 720), "years": (86400, 730)}
        )
