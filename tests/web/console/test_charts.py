"""Plots."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from txregistry.web.console.charts import Series, bar, legend, plot, unbroken
from txregistry.web.console.frame import flatten


class ChartsTests(SynchronousTestCase):
    """Lines and bars as SVG."""

    def drawn(self, tag: object) -> str:
        return self.successResultOf(flatten(tag)).decode()

    def test_plot(self) -> None:
        """Time goes to the right, values go up; the largest is at the top."""
        series = Series("Hits", "hits", (0.0, 5.0, 10.0))
        text = self.drawn(plot("Requests <", (0, 50, 100), (series,)))
        points = re.search('points="([^"]*)"', text)[1]
        self.assertEqual(points, "0.0,150.0 300.0,83.0 600.0,16.0")
        self.assertIn("<title>Requests &lt;</title>", text)
        self.assertIn("1970-01-01 00:01", text)
        self.assertIn(">10</text>", text)
        self.assertIn('class="line hits"', text)

    def test_nothing(self) -> None:
        """Without two moments there is no line; values of 0 lie on the axis."""
        self.assertIn("Nothing is known", self.drawn(plot("x", (1,), ())))
        text = self.drawn(plot("x", (1, 2), (Series("a", "b", (0, 0)),)))
        self.assertIn('points="0.0,150.0 600.0,150.0"', text)

    def test_gaps(self) -> None:
        """Where nobody counted there is no line."""
        self.assertEqual(list(unbroken((0, 60, 120), 60)), [(0, 3)])
        self.assertEqual(list(unbroken((0, 60, 300, 360), 60)), [(0, 2), (2, 4)])
        self.assertEqual(list(unbroken((0, 60, 300), 0)), [(0, 3)])
        series = Series("a", "b", (1.0, 2.0, 3.0, 4.0))
        text = self.drawn(plot("x", (0, 60, 300, 360), (series,), 60))
        self.assertEqual(text.count("<polyline"), 2)

    def test_bar(self) -> None:
        """A part of a whole, never more than that."""
        for part, whole, width in ((1, 4, "25.0"), (9, 4, "100.0"), (1, 0, "0.0")):
            self.assertIn(f'width="{width}"', self.drawn(bar(part, whole, "own")))

    def test_legend(self) -> None:
        """What the colours mean."""
        text = self.drawn(legend((Series("Hits", "hits", ()),)))
        self.assertEqual(text, '<ul class="legend"><li class="key hits">Hits</li></ul>')
