"""What is here of images."""

from __future__ import annotations

from zope.interface.verify import verifyObject

from tests.images.cases import CONFIG_BYTES, PLATFORMS, ImagesCase
from txregistry.interfaces.images import IImages, ImagesRefused
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName

CORP = "corp/org/app:v1"


class ExplainTests(ImagesCase):
    """Looking changes nothing and asks nobody."""

    def test_interface(self) -> None:
        """It does what its interface says."""
        verifyObject(IImages, self.images)

    def test_names(self) -> None:
        """Names are those of clients; an error says what is wrong."""
        for text, stored in (
            ("org/app", "org/app:latest"),
            ("corp.example:5000/org/app:v1", CORP),
            (f"ghcr.io/a@{Digest.of(b'x')}", f"ghcr.io/a@{Digest.of(b'x')}"),
        ):
            self.assertEqual(str(self.images.named(text)), stored)
        self.assertEqual(self.images.repository_named("a"), RepositoryName("library/a"))
        for text in ("A", "a:b:c", "a@sha256:1", ""):
            self.assertRaises(ImagesRefused, self.images.named, text)
        self.assertRaises(ImagesRefused, self.images.repository_named, "a:v1")

    def test_not_here(self) -> None:
        """Nothing is known of what nobody has pulled."""
        self.put_image("corp")
        report = self.explain(CORP)
        self.assertEqual((report.digest, report.platforms), ("", ()))
        self.assertEqual(report.upstream, "corp.example:5000")
        self.assertEqual(self.asked("corp"), 0)

    def test_last_answer(self) -> None:
        """It is the last one of all names that clients have for the image."""
        self.put_image("corp")
        self.assertIsNone(self.explain(CORP).answer)
        for path in (
            "corp/org/app/manifests/v1",
            "org/app/manifests/v1?ns=corp.example:5000",
            "corp/org/other/manifests/v1",
        ):
            self.several.get(f"/v2/{path}")
            self.house.clock.advance(10)
        for exchange in self.house.recorder.exchanges:
            self.answers.ended(exchange)
        answer = self.explain(CORP).answer
        self.assertEqual((answer.status, answer.cache_status), (200, "txregistry; hit"))
        other = self.explain("corp/org/other:v1").answer
        self.assertEqual(other.status, 404)
        self.assertIn("fwd=miss", other.cache_status)

    def test_by_platform(self) -> None:
        """Each platform has what is missing, its size, and is complete or not."""
        top = self.put_image("corp")
        self.warm(CORP, "linux/amd64")
        asked = self.asked("corp")
        report = self.explain(CORP)
        self.assertEqual(report.digest, str(top))
        amd, arm, windows = report.platforms
        self.assertEqual([item.platform for item in report.platforms], [*PLATFORMS])
        self.assertTrue(amd.is_complete)
        self.assertEqual(amd.bytes, CONFIG_BYTES + 2000 + 3000)
        for other in (arm, windows):
            self.assertEqual(other.missing, (other.digest,))
        self.assertEqual(self.asked("corp"), asked)

    def test_a_blob_that_went(self) -> None:
        """It is missing, whoever removed it."""
        self.put_image("corp")
        self.warm(CORP, "linux/amd64")
        repository = self.house.settle(
            self.house.local.repository(RepositoryName("corp/org/app"))
        )
        shared = Digest.of(self.shared)
        self.house.settle(repository.blobs.delete(digest=shared))
        self.assertEqual(self.explain(CORP).platforms[0].missing, (str(shared),))

    def test_times(self) -> None:
        """When it was confirmed and used, and until when it stays."""
        self.put_image("corp")
        self.warm(CORP)
        now = self.house.clock.seconds()
        self.house.clock.advance(100)
        report = self.explain(CORP)
        self.assertAlmostEqual(report.confirmed_at, now, delta=30)
        self.assertEqual(report.fresh_until, report.confirmed_at + 60)
        self.assertIsNone(report.stale_until)
        self.assertEqual(report.expires_at, report.last_use + self.house.ttl)
        again = self.explain(CORP)
        self.assertEqual(again, report)

    def test_by_digest(self) -> None:
        """It has no tag to be confirmed."""
        top = self.put_image("corp")
        self.warm(CORP)
        report = self.explain(f"corp/org/app@{top}")
        self.assertIsNone(report.confirmed_at)
        self.assertEqual(len(report.platforms), 3)
