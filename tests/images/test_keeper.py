"""Images are asked for anew."""

from __future__ import annotations

import attrs

from tests.images.cases import ImagesCase
from txregistry.interfaces.images import ImagesRefused
from txregistry.spec.digest import Digest
from txregistry.testing.upstream import Fault

CORP = "corp/org/app:v1"


class RefreshTests(ImagesCase):
    """A tag is asked for, however fresh it is."""

    def refresh(self, name: str):
        return self.house.settle(self.images.refresh(self.images.named(name)))

    def test_moved(self) -> None:
        """The new manifest is here, and is served."""
        self.put_image("corp")
        self.warm(CORP)
        moved = self.put_image("corp")
        got = self.several.get("/v2/corp/org/app/manifests/v1")
        self.assertNotEqual(got.header("Docker-Content-Digest"), str(moved))
        self.assertEqual(self.refresh(CORP).digest, str(moved))
        got = self.several.get("/v2/corp/org/app/manifests/v1")
        self.assertEqual(got.header("Docker-Content-Digest"), str(moved))

    def test_gone(self) -> None:
        """What the upstream has deleted is not here any more."""
        self.put_image("corp")
        self.warm(CORP)
        del self.several.upstream("corp").manifests["org/app", "v1"]
        self.assertRaises(ImagesRefused, self.refresh, CORP)
        self.assertEqual(self.explain(CORP).digest, "")

    def test_away(self) -> None:
        """An upstream that does not answer is told, and nothing changes."""
        top = self.put_image("corp")
        self.warm(CORP)
        self.several.upstream("corp").faults.append(Fault("/v2/", 10**6, status=503))
        self.assertRaises(ImagesRefused, self.refresh, CORP)
        self.assertEqual(self.explain(CORP).digest, str(top))

    def test_refused(self) -> None:
        """A digest, or a local repository, has nobody to be asked."""
        for name in (f"corp/org/app@{Digest.of(b'x')}", "team/a:v1"):
            self.assertRaises(ImagesRefused, self.refresh, name)


class LacksTests(ImagesCase):
    """What a pull would lack."""

    def lacks(self, name: str) -> str:
        image = self.images.named(name)
        return self.house.settle(self.images.lacks(image, ()))

    def test_ready(self) -> None:
        """Nothing, once it is here."""
        self.put_image("corp")
        self.assertEqual(self.lacks(CORP), "not here")
        self.warm(CORP)
        self.assertEqual(self.lacks(CORP), "")

    def test_too_old(self) -> None:
        """Where that has a limit, and for a tag alone."""
        self.put_image("corp")
        self.warm(CORP)
        self.house.clock.advance(10**8)
        self.assertEqual(self.lacks(CORP), "")
        name = self.images.named(CORP).repository
        tags = self.house.settle(self.house.proxy.repository(name=name)).tags
        limited = attrs.evolve(tags._cache.policy, max_stale_seconds=3600.0)
        object.__setattr__(tags._cache, "policy", limited)  # of this test alone
        self.assertIn("too old", self.lacks(CORP))
        digest = self.explain(CORP).digest
        self.assertEqual(self.lacks(f"corp/org/app@{digest}"), "")

    def test_denied(self) -> None:
        """What a rule refuses cannot be pulled, wherever it is."""
        self.assertIn("deny: secret/**", self.lacks("ghcr.io/secret/a:v1"))
