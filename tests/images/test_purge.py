"""Images are removed before they expire."""

from __future__ import annotations

from tests.images.cases import ImagesCase
from txregistry.interfaces.expiry import EntryKey, Kind
from txregistry.interfaces.images import ImagesRefused, PurgedImages
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName
from txregistry.storage.tree import layout
from txregistry.testing.upstream import Fault

CORP = "corp/org/app:v1"


class PurgeTests(ImagesCase):
    """What goes, and what stays as others need it."""

    def purge(self, name: str):
        """Purge; a preview has said the same, and removed nothing."""
        image, before = self.images.named(name), self.stored()
        foretold = self.house.settle(self.images.preview_purge(image))
        self.assertEqual(self.stored(), before)
        report = self.house.settle(self.images.purge(image))
        self.assertEqual(report, foretold)
        return report

    def stored(self) -> set[str]:
        paths = self.house.paths()
        return {path for path in paths if path.startswith(layout.BLOBS)}

    def test_image(self) -> None:
        """All of it goes, from the disk and from the ledger."""
        self.put_image("corp")
        self.warm(CORP)
        self.assertEqual(self.purge(CORP), PurgedImages(1, 4, 7))
        self.assertEqual(self.stored(), set())
        self.assertEqual(self.successResultOf(self.house.ledger.entries()), [])
        self.assertEqual(self.explain(CORP).digest, "")
        self.assertRaises(ImagesRefused, self.purge, CORP)

    def test_shared(self) -> None:
        """What another tag of the repository, or another repository, has stays."""
        self.put_image("corp", "v1")
        second = self.put_image("corp", "v2")
        self.put_image("ghcr.io")
        for name in (CORP, "corp/org/app:v2", "ghcr.io/org/app:v1"):
            self.warm(name)
        self.assertEqual(self.purge(CORP), PurgedImages(1, 4, 6))
        for name in ("corp/org/app:v2", "ghcr.io/org/app:v1"):
            report = self.explain(name)
            self.assertTrue(all(item.is_complete for item in report.platforms))
        self.assertEqual(self.explain("corp/org/app:v2").digest, str(second))

    def test_two_tags_of_one(self) -> None:
        """Of an image with two tags only one goes; by digest, both."""
        top = self.put_image("corp", "v1")
        self.several.upstream("corp").manifests["org/app", "v2"] = (
            self.several.upstream("corp").manifests["org/app", "v1"]
        )
        for name in (CORP, "corp/org/app:v2"):
            self.warm(name)
        self.assertEqual(self.purge(CORP), PurgedImages(1, 0, 0))
        self.assertEqual(self.explain("corp/org/app:v2").digest, str(top))
        self.assertEqual(self.purge(f"corp/org/app@{top}"), PurgedImages(1, 4, 7))

    def test_repository_and_upstream(self) -> None:
        """All of a repository, or of an upstream, and nothing else."""
        for key in ("corp", "ghcr.io", ""):
            self.put_image(key)
        for name in (CORP, "ghcr.io/org/app:v1", "org/app:v1"):
            self.warm(name)
        done = self.images.purge_repository(RepositoryName("org/app"))
        self.assertEqual(self.house.settle(done), PurgedImages(1, 4, 7))
        done = self.images.purge_upstream("ghcr.io")
        self.assertEqual(self.house.settle(done), PurgedImages(1, 4, 7))
        self.assertEqual(len(self.explain(CORP).platforms), 3)
        names = {
            entry.key.repository.text
            for entry in self.successResultOf(self.house.ledger.entries())
        }
        self.assertEqual(names, {"corp/org/app"})
        for again in (
            lambda: self.images.purge_upstream("ghcr.io"),
            lambda: self.images.purge_repository(RepositoryName("org/app")),
        ):
            self.failureResultOf(again(), ImagesRefused)

    def test_being_read(self) -> None:
        """A reader goes on to its end; the content is deleted after it."""
        self.several.upstream("corp").rate = 0
        self.put_image("corp", size=300_000)
        self.warm(CORP, "linux/amd64")
        layer = max(
            (made for made in self.told), key=lambda made: made.size or 0
        ).digest
        release = self.house.content.leases.take(Digest.parse(layer))
        self.purge(CORP)
        self.assertEqual(len(self.stored()), 1)
        release()
        (entry,) = self.successResultOf(self.house.ledger.entries())
        self.assertEqual(entry.key, EntryKey(entry.key.repository, Kind.BLOB, layer))

    def test_answers_go_as_well(self) -> None:
        """In an outage HEAD by tag says no more than GET; other answers stay."""
        keys = ("corp", "ghcr.io", "")
        for key in keys:
            self.put_image(key)
        names = (CORP, "ghcr.io/org/app:v1", "org/app:v1")
        purges = (
            lambda: self.images.purge(self.images.named(names[0])),
            lambda: self.images.purge_upstream("ghcr.io"),
            lambda: self.images.purge_repository(RepositoryName("org/app")),
        )
        for name in names:
            self.warm(name)
        for key in keys:
            self.several.upstream(key).faults.append(Fault("/v2/", 10**6, status=503))
        paths = [f"/v2/{name.replace(':', '/manifests/')}" for name in names]
        for number, purge in enumerate(purges):
            for path in paths[number:]:
                self.assertEqual(self.house.head(path).status, 200)
            self.house.settle(purge())
            self.assertIn(self.house.head(paths[number]).status, (502, 503))

    def test_before_the_scan(self) -> None:
        """Nothing goes before it is known who links what, and the answer says so."""
        self.put_image("corp")
        self.warm(CORP)
        stored = self.stored()
        self.house.rebuild._recorded_generation = None
        name = RepositoryName("corp/org/app")
        for purge in (
            lambda: self.images.purge(self.images.named(CORP)),
            lambda: self.images.purge_repository(name),
            lambda: self.images.purge_upstream("corp"),
        ):
            refused = self.failureResultOf(purge(), ImagesRefused)
            self.assertIn("being scanned, try again", str(refused.value))
        self.assertEqual(self.stored(), stored)
        self.house.settle(self.house.rebuild.run())
        self.assertEqual(self.purge(CORP), PurgedImages(1, 4, 7))

    def test_refused(self) -> None:
        """Local repositories are changed by their clients; keys have to exist."""
        self.assertRaises(ImagesRefused, self.purge, "team/a:v1")
        name = RepositoryName("team/a")
        self.assertRaises(ImagesRefused, self.images.purge_repository, name)
        self.assertRaises(ImagesRefused, self.images.purge_upstream, "quay.io")
