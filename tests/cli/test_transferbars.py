"""Bars of what is carried."""

from __future__ import annotations

import io

from rich.console import Console
from twisted.trial.unittest import SynchronousTestCase

from txregistry.cli import bars
from txregistry.cli.transferbars import TransferBars
from txregistry.spec.digest import Digest

DIGEST = Digest.of(b"x")


class TransferBarsTests(SynchronousTestCase):
    """One at a time."""

    def test_shown(self) -> None:
        """It moves as its source is read, and goes at the end."""
        console = Console(file=io.StringIO(), force_terminal=True)
        self.patch(bars, "Console", lambda stderr: console)
        with TransferBars(hidden=False) as shown:
            with shown.shown("a:v1", DIGEST, 10, io.BytesIO(b"0123456789")) as source:
                self.assertEqual(source.read(4), b"0123")
                (task,) = shown._progress.tasks
                self.assertEqual((task.completed, task.total), (4, 10))
                self.assertEqual(task.description, f"a:v1 {DIGEST.hex[:12]}")
            self.assertEqual(shown._progress.tasks, [])

    def test_hidden(self) -> None:
        """Nothing is shown where nobody looks."""
        content = io.BytesIO(b"x")
        with (
            TransferBars(hidden=True) as shown,
            shown.shown("a:v1", DIGEST, 1, content) as source,
        ):
            self.assertIs(source, content)
