"""``txregistry refresh``: what it says."""

from __future__ import annotations

import json

from tests.cli.images import AskingCase

REPORT = {"images": [{"image": "a:latest", "digest": "sha256:1"}]}


class RefreshTests(AskingCase):
    """The digest that a tag has now."""

    def test_report(self) -> None:
        """A line for each image."""
        result = self.answered(REPORT, "refresh", "a")
        self.assertEqual((result.exit_code, result.output), (0, "a:latest: sha256:1\n"))
        result = self.answered(REPORT, "refresh", "--json", "a")
        self.assertEqual(json.loads(result.output), REPORT)
