"""``txregistry warm``: what it asks for and says."""

from __future__ import annotations

import io
import json
from typing import Any

from rich.console import Console

from tests.cli.images import AskingCase
from txregistry.cli import bars
from txregistry.cli.warm import _Bars

GOOD = {
    "image": "a:latest",
    "digest": "sha256:1",
    "parts": 5,
    "fetched": 2,
    "fetched_bytes": 3_500_000,
    "failures": [],
}
BAD = {**GOOD, "failures": ["sha256:2: blob unknown to registry"]}


class WarmTests(AskingCase):
    """Its options, report and status."""

    def test_options(self) -> None:
        """Platforms are as they were said."""
        arguments = ("a", "--platform", "linux/amd64", "--platform", "linux/arm64")
        result = self.answered({"images": [GOOD]}, "warm", *arguments)
        self.assertEqual(result.exit_code, 0)
        self.assertEqual(
            self.asked,
            [
                {
                    "command": "warm",
                    "options": {
                        "images": ["a"],
                        "platforms": ["linux/amd64", "linux/arm64"],
                    },
                }
            ],
        )

    def test_report(self) -> None:
        """A line for each image, and one on stderr for each failure; 1 if there is."""
        result = self.answered({"images": [GOOD, BAD]}, "warm", "a")
        self.assertEqual(result.exit_code, 1)
        line = "a:latest: 5 parts, 2 fetched (3.5 MB)"
        self.assertEqual(result.stdout, f"{line}\n{line}, 1 failed\n")
        self.assertEqual(result.stderr, f"a:latest: {BAD['failures'][0]}\n")
        result = self.answered({"images": [BAD]}, "warm", "-q", "a")
        self.assertEqual((result.exit_code, result.stdout), (1, ""))

    def test_json(self) -> None:
        """The report is as the daemon gave it."""
        result = self.answered({"images": [BAD]}, "warm", "--json", "a")
        self.assertEqual(json.loads(result.stdout), {"images": [BAD]})
        self.assertEqual((result.exit_code, result.stderr), (1, ""))


class BarsTests(AskingCase):
    """Bars of blobs that are being fetched."""

    def tell(self, shown: _Bars, state: str, done: int) -> None:
        made: dict[str, Any] = {"image": "a:latest", "digest": "sha256:" + "1" * 64}
        shown.tell({**made, "kind": "blob", "state": state, "size": 100, "done": done})

    def test_bars(self) -> None:
        """One comes with the first bytes, and goes at the end."""
        console = Console(file=io.StringIO(), force_terminal=True)
        self.patch(bars, "Console", lambda stderr: console)
        with _Bars(hidden=False) as shown:
            self.tell(shown, "waiting", 0)
            self.assertEqual(shown._tasks, {})
            self.tell(shown, "fetching", 10)
            self.tell(shown, "fetching", 50)
            (task,) = shown._progress.tasks
            self.assertEqual((task.completed, task.total), (50, 100))
            self.assertEqual(task.description, f"a:latest {'1' * 12}")
            self.tell(shown, "here", 100)
            self.assertEqual((shown._tasks, shown._progress.tasks), ({}, []))

    def test_hidden(self) -> None:
        """Nothing is shown where nobody looks."""
        with _Bars(hidden=True) as shown:
            self.tell(shown, "fetching", 10)
        self.assertEqual(shown._tasks, {})
