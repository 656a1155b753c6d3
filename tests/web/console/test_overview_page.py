"""The first page."""

from __future__ import annotations

import attrs

from tests.web.console.cases import PageCase

IMAGE = "corp/org/app:v1"


class OverviewTests(PageCase):
    """How the cache is now, and what it did."""

    def test_overview(self) -> None:
        """How the cache is now, and what it did."""
        self.warm(IMAGE)
        for _ in range(3):
            self.house.settle(self.history.sample())
            self.house.clock.advance(60)
        self.read("/")
        for _ in range(50):
            self.house.clock.advance(0.01)
        text = self.read("/")
        for said in (
            "All is well",
            "70 %",
            "7.0 kB",
            "1 of 1",
            "76 left of 100",
            "125 ms",
            "125 B/s",
            "250 B of 1.0 kB",
            "3 clients",
            "<polyline",
        ):
            self.assertIn(said, text)

    def test_states(self) -> None:
        """What is wrong comes first, and an upstream that is away is said to be."""
        self.evolve(offline=True)
        self.assertIn("no upstream is asked", self.read("/"))
        self.problems["storage"] = "<broken>"
        away = attrs.evolve(self.glance.overview.upstreams[0], paused_seconds=90.0)
        self.evolve(upstreams=(away,), downloads=())
        new = attrs.evolve(away, paused_seconds=0.0, questions=0)
        failing = attrs.evolve(away, paused_seconds=0.0, failing=True)
        self.evolve(upstreams=(away, new, failing))
        text = self.read("/")
        self.assertIn("not asked yet", text)
        self.assertIn(">away<", text)
        self.assertIn("storage: &lt;broken&gt;", text)
        self.assertIn("away, asked in 2 minutes", text)
        self.assertIn("Nothing is being downloaded.", text)
