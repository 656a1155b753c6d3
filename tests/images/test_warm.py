"""Images are fetched whole, and resumed."""

from __future__ import annotations

import json

from tests.images.cases import CONFIG_BYTES, ImagesCase
from txregistry.interfaces.images import PartState
from txregistry.testing.upstream import Fault

CORP = "corp/org/app:v1"


class WarmTests(ImagesCase):
    """What is fetched, told and reported."""

    def test_all(self) -> None:
        """All platforms; the second time nothing but the tag is asked for."""
        top = self.put_image("corp")
        report = self.warm(CORP)
        self.assertEqual((report.digest, report.failures), (str(top), []))
        # An index, three manifests, configurations and layers, and a shared layer.
        self.assertEqual((report.parts, report.fetched), (11, 11))
        asked = self.asked("corp")
        again = self.warm(CORP)
        self.assertEqual((again.parts, again.fetched, again.fetched_bytes), (11, 0, 0))
        self.assertEqual(self.asked("corp"), asked + 1)

    def test_bytes(self) -> None:
        """Those of blobs count, each once."""
        self.put_image("corp", size=2000)
        report = self.warm(CORP, "linux/amd64")
        self.assertEqual(report.fetched_bytes, CONFIG_BYTES + 2000 + 3000)

    def test_platforms(self) -> None:
        """Only those that are wanted, by variant too."""
        self.put_image("corp")
        for wanted, parts in (
            (("linux/amd64",), 5),
            (("linux/arm64",), 5),
            (("linux/arm64/v7",), 1),
            (("linux/amd64", "windows/amd64"), 8),
        ):
            self.assertEqual(self.warm(CORP, *wanted).parts, parts, wanted)

    def test_pulls_without_the_upstream(self) -> None:
        """What was warmed is served when nobody can be asked."""
        self.put_image("corp")
        self.warm(CORP, "linux/amd64")
        self.several.upstream("corp").faults.append(Fault("/v2/", 10**6, status=503))
        self.house.clock.advance(3600)
        got = self.several.get("/v2/corp/org/app/manifests/v1")
        self.assertEqual(got.status, 200)

    def test_referrers(self) -> None:
        """A signature of a platform's manifest comes, and is listed in an outage."""
        self.put_image("corp")
        child = self.warm(CORP, "linux/amd64")
        upstream = self.several.upstream("corp")
        subject = self.explain(CORP).platforms[0].digest
        signature = self.put_signature("corp", subject)
        self.house.clock.advance(3600)
        report = self.warm(CORP, "linux/amd64")
        self.assertEqual((report.parts, report.fetched), (child.parts + 2, 2))
        upstream.faults.append(Fault("/v2/", 10**6, status=503))
        self.house.clock.advance(3600)
        got = self.several.get(f"/v2/corp/org/app/referrers/{subject}")
        (listed,) = json.loads(got.body)["manifests"]
        self.assertEqual(listed["digest"], str(signature))
        got = self.several.get(f"/v2/corp/org/app/manifests/{signature}")
        self.assertEqual(got.status, 200)

    def test_referrers_that_cannot_be_listed(self) -> None:
        """That is told, and all else comes."""
        self.put_image("corp")
        upstream = self.several.upstream("corp")
        upstream.faults.append(Fault("/referrers/", 10**6, status=503))
        report = self.warm(CORP, "linux/amd64")
        self.assertEqual((report.parts, report.fetched), (5, 5))
        self.assertEqual(len(report.failures), 2)
        self.assertIn("its referrers: ", report.failures[0])

    def test_progress(self) -> None:
        """Each blob waits, is fetched, and is here; with its bytes so far."""
        self.several.upstream("corp").rate = 2_000
        self.put_image("corp", size=200_000)
        self.warm(CORP, "linux/amd64")
        layer = max(self.told, key=lambda made: made.size or 0).digest
        states = [made for made in self.told if made.digest == layer]
        self.assertEqual(states[0].state, PartState.WAITING)
        self.assertEqual(states[-1].state, PartState.HERE)
        self.assertEqual(states[-1].done, 200_000)
        between = [made.done for made in states if made.state is PartState.FETCHING]
        self.assertGreater(len(between), 5)
        self.assertEqual(between, sorted(between))

    def test_missing_blob(self) -> None:
        """One that cannot be had is told, and all others come."""
        self.put_image("corp")
        upstream = self.several.upstream("corp")
        (name, digest), _ = list(upstream.blobs.items())[1]
        del upstream.blobs[name, digest]
        report = self.warm(CORP, "linux/amd64")
        (failure,) = report.failures
        self.assertIn(digest, failure)
        self.assertEqual(report.fetched, 4)
        self.assertIn(PartState.FAILED, {made.state for made in self.told})

    def test_missing_child(self) -> None:
        """A manifest that the upstream does not have is told by its digest."""
        self.put_image("corp")
        upstream = self.several.upstream("corp")
        digest = next(ref for _, ref in upstream.manifests if ref.startswith("sha256:"))
        del upstream.manifests["org/app", digest]
        (failure,) = self.warm(CORP).failures
        self.assertEqual(failure, f"{digest}: manifest unknown")

    def test_unknown(self) -> None:
        """A tag that is not there, or an upstream that is away, fails the image."""
        report = self.warm("corp/org/app:other")
        self.assertEqual((report.digest, report.parts), ("", 0))
        self.assertIn("manifest unknown", report.failures[0])
        self.several.upstream("corp").faults.append(Fault("/v2/", 10**6, status=503))
        self.assertEqual(len(self.warm("corp/org/app:v2").failures), 1)

    def test_resumed(self) -> None:
        """A warming that is stopped goes on later where it was."""
        upstream = self.several.upstream("corp")
        upstream.rate = 500_000
        self.put_image("corp", size=5_000_000)
        image = self.images.named(CORP)
        work = self.images.warm(image, (), self.told.append)
        for _ in range(100):
            self.house.pump()
            self.house.clock.advance(0.05)
        self.assertFalse(work.called)
        work.addErrback(lambda failure: None)
        work.cancel()
        upstream.rate = 0
        report = self.warm(CORP)
        self.assertEqual((report.parts, report.failures), (11, []))
        self.assertFalse(self.several.running)

    def test_a_local_one(self) -> None:
        """What is local is here or not; nobody is asked."""
        report = self.warm("team/a:v1")
        self.assertIn("manifest unknown", report.failures[0])
        self.assertEqual(
            [self.asked(key) for key in ("", "corp", "ghcr.io")], [0, 0, 0]
        )
