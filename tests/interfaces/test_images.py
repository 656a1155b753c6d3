"""Reports of images."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.images import PlatformReport


class ReportTests(SynchronousTestCase):
    """What follows from what is missing."""

    def test_complete(self) -> None:
        """Nothing is missing of what is complete."""
        for missing in ((), ("sha256:1",)):
            found = PlatformReport("linux/amd64", "sha256:a", 1, missing)
            self.assertEqual(found.is_complete, not missing)
