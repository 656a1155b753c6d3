"""What actions did, in words."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.collection import CollectReport
from txregistry.interfaces.images import ImageReport, PurgedImages, WarmReport
from txregistry.interfaces.scrub import ScrubFinding, ScrubOutcome, ScrubReport
from txregistry.spec.values import as_values
from txregistry.web.console.outcomes import outcome

DIGEST = "sha256:" + "a" * 64


class OutcomesTests(SynchronousTestCase):
    """Of each action."""

    def told(self, action: str, report: Any) -> list[str]:
        is_record = attrs.has(type(report))
        return list(outcome(action, as_values(report) if is_record else report))

    def test_images(self) -> None:
        """What came, what it is, what went."""
        warmed = WarmReport("a:1", DIGEST, 5, 2, 1500, ["b: gone"])
        self.assertEqual(
            self.told("warm", {"images": [as_values(warmed)]}),
            ["a:1: 2 of 5 parts fetched, 1.5 kB of blobs", "a:1: b: gone"],
        )
        found = [as_values(ImageReport("a:1", "x", each)) for each in (DIGEST, "")]
        self.assertEqual(
            self.told("refresh", {"images": found}),
            [f"a:1 is {DIGEST}", "a:1 is not here"],
        )
        self.assertEqual(
            self.told("purge", PurgedImages(1, 2, 3)),
            ["removed 1 tag, 2 manifests and 3 blobs"],
        )

    def test_switches(self) -> None:
        """Whether anything has changed, and how it is now."""
        for action, report, said in (
            ("pin", {"changed": True}, "the list of pins has changed"),
            ("unpin", {"changed": False}, "nothing changed"),
            ("offline", {"offline": True, "changed": True}, "no upstream is asked"),
            ("offline", {"offline": False, "changed": True}, "upstreams are asked"),
        ):
            self.assertEqual(self.told(action, report), [said])

    def test_collect(self) -> None:
        """What went, or would go."""
        report = CollectReport(True, 1, 2, 3, 4, 5, 6000, 7, broken=["a@b"])
        self.assertEqual(
            self.told("collect", report),
            [
                "would delete 5 blobs, 6.0 kB",
                "would delete 3 manifests",
                "would delete 7 links",
                "would keep 4 blobs",
                "a@b cannot be read, and is left alone",
            ],
        )
        lines = self.told("collect", attrs.evolve(report, dry_run=False))
        self.assertEqual(
            (lines[0], lines[3]), ("deleted 5 blobs, 6.0 kB", "kept 4 blobs")
        )

    def test_verify(self) -> None:
        """What was read, and what is wrong with it."""
        finding = ScrubFinding(DIGEST, 5, ScrubOutcome.SET_ASIDE, ("a", "b"))
        report = ScrubReport(
            seconds=61.0, contents=3, size=1500, damaged=1, findings=[finding]
        )
        self.assertEqual(
            self.told("verify", report),
            [
                "read 3 blobs, 1.5 kB, within 1 minute",
                "1 damaged, 0 of them fetched again; 0 missing; 0 cannot be read",
                "it was ended before all was read",
                "sha256:aaaaaaaaaaaa of a, b: set aside",
            ],
        )

    def test_nothing(self) -> None:
        """As long as there is no report, or of what is not known."""
        self.assertEqual(self.told("warm", {}), [])
        self.assertEqual(self.told("odd", {"a": 1}), [])
