"""Progress on a terminal."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.cli.bars import collection_line, scrub_bar


class BarTests(SynchronousTestCase):
    """What is shown of work under way."""

    def test_columns(self) -> None:
        """Each shows how far it has come."""
        bar, line = scrub_bar(), collection_line()
        bar.add_task("", total=10, completed=5, damaged=3)
        line.add_task("marking", total=None, completed=7)
        for shown, words in ((bar, ("50%", "3 damaged")), (line, ("marking 7",))):
            with shown.console.capture() as captured:
                shown.console.print(shown.get_renderable())
            for word in words:
                self.assertIn(word, captured.get())
            self.assertTrue(shown.console.stderr)
