"""Which platforms are wanted."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.descriptor import Descriptor, Platform
from txregistry.spec.digest import Digest
from txregistry.spec.platforms import WantedPlatform, platform_text, wanted_children


def child(platform: Platform | None) -> Descriptor:
    return Descriptor(Digest.of(repr(platform).encode()), 1, platform=platform)


AMD = child(Platform("amd64", "linux"))
V7 = child(Platform("arm", "linux", "v7"))
V6 = child(Platform("arm", "linux", "v6"))
NONE = child(None)
ALL = (AMD, V7, V6, NONE)


class PlatformTests(SynchronousTestCase):
    """By operating system, architecture and variant."""

    def wanted(self, *texts: str) -> list[Descriptor]:
        return wanted_children(ALL, [WantedPlatform.parse(text) for text in texts])

    def test_wanted(self) -> None:
        """A variant that is not said is any; what has no platform is always wanted."""
        self.assertEqual(self.wanted(), [*ALL])
        self.assertEqual(self.wanted("linux/amd64"), [AMD, NONE])
        self.assertEqual(self.wanted("linux/arm"), [V7, V6, NONE])
        self.assertEqual(self.wanted("linux/arm/v7", "linux/amd64"), [AMD, V7, NONE])
        self.assertEqual(self.wanted("windows/amd64"), [NONE])

    def test_malformed(self) -> None:
        """Something else is refused."""
        for text in ("", "linux", "linux/", "/amd64", "linux/arm/v7/x", "Linux/amd64"):
            self.assertRaises(ValueError, WantedPlatform.parse, text)

    def test_text(self) -> None:
        """A platform is written as it is read."""
        texts = [platform_text(child) for child in ALL]
        self.assertEqual(texts, ["linux/amd64", "linux/arm/v7", "linux/arm/v6", ""])
