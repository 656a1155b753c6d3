"""Plots of what the cache did over time."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.web.console.cases import PageCase
from txregistry.web.console.history_plots import PLOTS, Line


class LineTests(SynchronousTestCase):
    """What a line shows of samples."""

    def test_values(self) -> None:
        """A count, or what it is of each of another."""
        samples = [{"counts": {"a": 6.0, "b": 2.0}}, {"counts": {"a": 1.0}}]
        self.assertEqual(Line("x", "y", "a").values(samples), [6.0, 1.0])
        self.assertEqual(Line("x", "y", "a", "b").values(samples), [3.0, 0.0])


class PlotsTests(PageCase):
    """Their part of the page."""

    def test_spans(self) -> None:
        """Each can be chosen; all plots are drawn, and scripts know their series."""
        for _ in range(3):
            self.successResultOf(self.history.sample())
            self.house.clock.advance(60)
        text = self.read("/?span=month")
        self.assertIn('href="/?span=month" aria-current="true"', text)
        text = self.read("/?span=day")
        for title in PLOTS:
            self.assertIn(f"<figcaption>{title}</figcaption>", text)
        self.assertIn("Hits:hits:hits:,Misses:misses:misses:", text)
        self.assertIn("Mean:served:asked_seconds:questions", text)
