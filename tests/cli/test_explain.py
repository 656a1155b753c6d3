"""``txregistry explain``: what it says of images."""

from __future__ import annotations

import json

from tests.cli.images import AskingCase
from txregistry.cli.explain import explained

NOTHING = {
    "image": "corp/a:v1",
    "upstream": "corp.example",
    "digest": "",
    "platforms": [],
    "confirmed_at": None,
    "fresh_until": None,
    "stale_until": None,
    "last_use": None,
    "expires_at": None,
    "is_local": False,
    "answer": None,
}
AMD = {"platform": "linux/amd64", "digest": "sha256:a", "bytes": 5_000, "missing": []}
ARM = {**AMD, "platform": "linux/arm64", "missing": ["sha256:x", "sha256:y"]}
WIN = {**AMD, "platform": "windows/amd64", "missing": ["sha256:a"]}
HERE = {
    **NOTHING,
    "digest": "sha256:1",
    "platforms": [AMD, ARM, WIN],
    "confirmed_at": 1000.0,
    "fresh_until": 1060.0,
    "last_use": 880.0,
    "expires_at": 4600.0,
}


class ExplainTests(AskingCase):
    """For people, and for programs."""

    def test_not_here(self) -> None:
        """It ends with 1."""
        result = self.answered({"images": [NOTHING]}, "explain", "corp/a:v1")
        self.assertEqual(result.exit_code, 1)
        self.assertEqual(
            result.output, "corp/a:v1\n  upstream:   corp.example\n  not here\n"
        )

    def test_last_answer(self) -> None:
        """Its status, its time, and why; also of what is not here."""
        answer = {"at": 880.0, "status": 200, "cache_status": "txregistry; fwd=miss"}
        told = "  last answer: 200, 2m ago (txregistry; fwd=miss)"
        self.assertIn(told, [*explained({**HERE, "answer": answer}, 1000.0)])
        answer = {"at": 1000.0, "status": 403, "cache_status": ""}
        told = "  last answer: 403, now (nothing was looked up)"
        self.assertIn(told, [*explained({**NOTHING, "answer": answer}, 1000.0)])

    def test_here(self) -> None:
        """Each platform has a line, each time says how long it is."""
        lines = [*explained(HERE, 1000.0)]
        for expected in (
            "  digest:     sha256:1",
            "  linux/amd64: complete, 5 kB",
            "  linux/arm64: 2 blobs missing of 5 kB",
            "  windows/amd64: not here",
            "  confirmed:  now",
            "  asked again: in 1m",
            "  last used:  2m ago",
            "  expires:    in 1h, if it is not used",
        ):
            self.assertIn(expected, lines)

    def test_times(self) -> None:
        """What has passed is now, what has no end is never."""
        lines = [
            *explained({**HERE, "expires_at": None, "stale_until": 1600.0}, 2000.0)
        ]
        self.assertIn("  asked again: now", lines)
        self.assertIn("  in an outage served now", lines)
        self.assertIn("  expires:    never, if it is not used", lines)

    def test_local(self) -> None:
        """What is local has no upstream, and no times."""
        local = {**NOTHING, "digest": "sha256:1", "is_local": True, "upstream": ""}
        self.assertIn("  upstream:   local", [*explained(local, 0)])

    def test_json(self) -> None:
        """As the daemon gave it."""
        result = self.answered({"images": [HERE]}, "explain", "--json", "a")
        self.assertEqual(json.loads(result.output), {"images": [HERE]})
        self.assertEqual(result.exit_code, 0)
