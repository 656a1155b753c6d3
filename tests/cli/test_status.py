"""``txregistry status``: what it shows."""

from __future__ import annotations

import json
from typing import Any

from tests.cli import control
from tests.cli.images import AskingCase
from txregistry.cli import status as module
from txregistry.cli.status import disk_lines, download_lines, upstream_lines

UPSTREAM = {
    "name": "ghcr.io",
    "url": "https://ghcr.io",
    "paused_seconds": 0.0,
    "requests": 200,
    "hits": 150,
    "stale": 3,
    "pulled_bytes": 2_000_000,
    "served_bytes": 9_000_000,
}
DOWNLOAD = {
    "digest": "sha256:" + "1" * 64,
    "upstream": "ghcr.io",
    "size": 10_000_000,
    "done": 4_000_000,
    "rate": 100_000.0,
}
CANDIDATE = {
    "stored": {"reference": "sha256:" + "2" * 64, "size": 5_000, "last_use": 400.0},
    "repositories": ["corp/app"],
    "stays": None,
}
DISK: dict[str, Any] = {
    "usage": {"stored": 6_000, "reserved": 1_000, "idle": 500, "disk": None},
    "limit": 0,
    "keep_free": 0,
    "shortage": None,
    "candidates": [CANDIDATE],
}


class StatusTests(AskingCase):
    """Lines for people, one object for programs."""

    def test_upstreams(self) -> None:
        """State, share of hits, and what was saved on the link."""
        away = {**UPSTREAM, "name": "corp", "paused_seconds": 12.4, "requests": 0}
        first, second = upstream_lines([UPSTREAM, away])
        self.assertEqual(
            first,
            "ghcr.io  asked as usual; 200 requests, 75 % hits, 3 stale;"
            " pulled 2 MB, saved 7 MB",
        )
        self.assertTrue(second.startswith("corp     away, asked again in 12s; 0"))
        self.assertIn("no hits", second)

    def test_downloads(self) -> None:
        """How far, how fast, how long; what is not known is left out."""
        (line,) = download_lines([DOWNLOAD])
        self.assertTrue(
            line.endswith("ghcr.io: 4 MB of 10 MB, 100 kB/s, 1m left"), line
        )
        (line,) = download_lines([{**DOWNLOAD, "size": None}])
        self.assertTrue(line.endswith("4 MB of ?, 100 kB/s"), line)
        (line,) = download_lines([{**DOWNLOAD, "rate": 0.0}])
        self.assertTrue(line.endswith("0 B/s"), line)

    def test_disk(self) -> None:
        """What is taken; with a limit also what would go."""
        self.assertEqual([*disk_lines(DISK, 1000.0)], ["stored: 7.5 kB"])
        usage = {**DISK["usage"], "disk": {"free": 1e9, "total": 9e9}}
        limited = {
            **DISK,
            "usage": usage,
            "limit": 10_000,
            "keep_free": 2_000,
            "shortage": {"size": 300, "limit": "cache.maxsize"},
            "candidates": [CANDIDATE, {**CANDIDATE, "stays": "is being read"}],
        }
        first, shortage, going, staying = disk_lines(limited, 1000.0)
        self.assertEqual(
            first,
            "stored: 7.5 kB of 10 kB; 1 GB of the disk are free, 2 kB are kept free",
        )
        self.assertEqual(shortage, "300 B have to go (cache.maxsize)")
        self.assertIn("222222222222 of corp/app, 5 kB, unused for 10m", going)
        self.assertTrue(staying.startswith("stays: "))
        self.assertTrue(staying.endswith("; it is being read"))

    def test_command(self) -> None:
        """Both questions make one report."""
        report = {"offline": True, "upstreams": [UPSTREAM], "downloads": [DOWNLOAD]}
        reports = {"status": report, "disk": DISK}
        asked = []

        def answer(file: str, command: str, options: Any, as_json: bool) -> Any:
            asked.append((command, options))
            return dict(reports[command])

        self.patch(module, "asked", answer)
        result = self.run_command("status", "-c", self.config, "--json")
        self.assertEqual(json.loads(result.output), {**report, "disk": DISK})
        self.assertEqual(asked, [("status", {}), ("disk", {"number": 3})])
        lines = self.run_command("status", "-c", self.config).output.splitlines()
        self.assertEqual(lines[0], "offline: no upstream is asked")
        self.assertEqual(len(lines), 4)

    def test_refused(self) -> None:
        """A registry has no such command."""
        with control.answering(self.socket, {"error": "no such command"}):
            result = self.run_command("status", "-c", self.config)
        self.assertEqual((result.exit_code, result.output), (1, "no such command\n"))
