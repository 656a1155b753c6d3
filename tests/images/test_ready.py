"""What a pull would lack."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.images.ready import why_not_ready
from txregistry.interfaces.images import ImageReport, PlatformReport
from txregistry.spec.platforms import WantedPlatform

AMD = PlatformReport("linux/amd64", "sha256:a", 10, ())
ARM = PlatformReport("linux/arm64/v8", "sha256:b", 10, ("sha256:1", "sha256:2"))
WIN = PlatformReport("windows/amd64", "sha256:c", 0, ("sha256:c",))


class ReadyTests(SynchronousTestCase):
    """By platform, and by the age of a tag."""

    def lacks(
        self, *platforms: PlatformReport, wanted: str = "", **more: object
    ) -> str:
        report = ImageReport("a:v1", "x", "sha256:t", platforms, **more)
        parsed = [WantedPlatform.parse(text) for text in wanted.split()]
        return why_not_ready(report, parsed, 1000.0)

    def test_here(self) -> None:
        """All of the platforms of which something is here."""
        self.assertEqual(self.lacks(AMD, WIN), "")
        self.assertEqual(self.lacks(AMD, wanted="linux/amd64"), "")
        self.assertEqual(self.lacks(PlatformReport("", "sha256:a", 1, ())), "")

    def test_not_here(self) -> None:
        """It says what is missing, and of which platform."""
        self.assertEqual(why_not_ready(ImageReport("a:v1", "x"), (), 0), "not here")
        self.assertEqual(self.lacks(WIN), "no platform of it is here")
        self.assertEqual(self.lacks(AMD, ARM), "2 blobs of linux/arm64/v8 not here")
        one = PlatformReport("", "sha256:a", 1, ("sha256:1",))
        self.assertEqual(self.lacks(one), "1 blob not here")

    def test_wanted(self) -> None:
        """What is wanted has to be here, and nothing else."""
        self.assertEqual(
            self.lacks(AMD, ARM, WIN, wanted="linux/arm64 windows/amd64"),
            "2 blobs of linux/arm64/v8 not here; windows/amd64 is not here",
        )
        for absent in ("linux/arm64/v7", "linux/s390x"):
            self.assertEqual(self.lacks(AMD, wanted=absent), f"{absent} is not here")
        any_platform = PlatformReport("", "sha256:a", 1, ())
        self.assertEqual(self.lacks(any_platform, wanted="linux/s390x"), "")

    def test_age(self) -> None:
        """A tag may be too old to be served in an outage."""
        self.assertEqual(self.lacks(AMD, stale_until=1001.0), "")
        self.assertIn("too old", self.lacks(AMD, stale_until=999.0))
