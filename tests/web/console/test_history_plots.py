"""Plots of what the cache did over time."""

from __future__ import annotations

import json
from pathlib import Path

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


class NamesTests(SynchronousTestCase):
    """What the dashboard of the package calls them."""

    def test_grafana(self) -> None:
        """The same titles and labels."""
        place = Path(__file__).parents[3] / "etc/examples/grafana/txregistry.json"
        panels = {
            each["title"]: each for each in json.loads(place.read_text())["panels"]
        }
        for plot in PLOTS:
            legends = [each["legendFormat"] for each in panels[plot.title]["targets"]]
            labels = {legend.partition(", {{")[0] for legend in legends}
            self.assertLessEqual({line.label for line in plot.lines}, labels)


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
        for plot in PLOTS:
            self.assertIn(f"<figcaption>{plot.title}", text)
        self.assertIn("Uplink, in bytes<", text)
        self.assertIn("Hits:hits:hits:,Misses:misses:misses:", text)
        self.assertIn("Mean:served:asked_seconds:questions", text)
