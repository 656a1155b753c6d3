"""``txregistry purge``: what it asks for and says."""

from __future__ import annotations

import json

from tests.cli.images import AskingCase

REPORT = {"tags": 1, "manifests": 2, "blobs": 3}


class PurgeTests(AskingCase):
    """Images, repositories and upstreams."""

    def test_images(self) -> None:
        """What was removed is counted."""
        result = self.answered(REPORT, "purge", "a", "b")
        self.assertEqual(result.output, "removed 1 tags, 2 manifests, 3 blobs\n")
        expected = {"images": ["a", "b"], "repositories": [], "upstreams": []}
        self.assertEqual(self.options(), expected)

    def test_others(self) -> None:
        """Without an image, if there is something else."""
        arguments = ("--repository", "corp/a", "--upstream", "quay.io", "--json")
        result = self.answered(REPORT, "purge", *arguments)
        self.assertEqual(json.loads(result.output), REPORT)
        expected = {"images": [], "repositories": ["corp/a"], "upstreams": ["quay.io"]}
        self.assertEqual(self.options(), expected)
