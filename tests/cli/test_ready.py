"""``txregistry ready``: its lines and status."""

from __future__ import annotations

import json

from tests.cli.images import AskingCase

GOOD = {"image": "a:latest", "lacks": ""}
BAD = {"image": "b:latest", "lacks": "not here"}


class ReadyTests(AskingCase):
    """A drill that a script can read."""

    def test_lines(self) -> None:
        """Each image has a line; one that lacks something makes it 1."""
        result = self.answered({"images": [GOOD, BAD]}, "ready", "a", "b")
        self.assertEqual(result.exit_code, 1)
        self.assertEqual(result.output, "a:latest: ready\nb:latest: not here\n")
        self.assertEqual(self.options(), {"images": ["a", "b"], "platforms": []})

    def test_json(self) -> None:
        """The status is the same."""
        for image, status in ((GOOD, 0), (BAD, 1)):
            result = self.answered({"images": [image]}, "ready", "--json", "a")
            self.assertEqual(json.loads(result.output), {"images": [image]})
            self.assertEqual(result.exit_code, status)
