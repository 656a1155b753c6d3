"""What was found of a repository."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock

from tests.images.cases import ImagesCase
from txregistry.flow.turns import Turns
from txregistry.images import findings as module
from txregistry.images.findings import Findings
from txregistry.spec.digest import Digest

CORP = "corp/org/app:v1"


class Counted(Turns):
    """Turns that nobody waits for."""

    async def take(self) -> None:
        self._steps += 1


class FindingsTests(ImagesCase):
    """Each image and each blob is looked at once."""

    def setUp(self) -> None:
        super().setUp()
        self.top = self.put_image("corp")
        self.warm(CORP)
        name = self.images.named(CORP).repository
        self.findings: Findings = self.house.settle(self.images.findings(name))
        self.looked: list[Digest] = []
        blobs = self.findings.repository.blobs
        stat = blobs.stat

        def counted(digest: Digest) -> Any:
            self.looked.append(digest)
            return stat(digest=digest)

        self.patch(type(blobs), "stat", lambda _, digest: counted(digest))

    def platforms(self) -> Any:
        return self.house.settle(self.findings.platforms(top=self.top))

    def test_once(self) -> None:
        """As long as the findings are kept."""
        first = self.platforms()
        self.assertTrue(all(found.is_complete for found in first))
        self.assertEqual(len(self.looked), len(set(self.looked)))
        count = len(self.looked)
        self.assertGreater(count, 3)
        self.assertEqual(self.platforms(), first)
        self.assertEqual(len(self.looked), count)

    def test_in_turns(self) -> None:
        """An image of many parts does not hold up others."""
        clock = Clock()
        findings = Findings(self.findings.repository, Turns(clock, 1))
        done = findings.platforms(top=self.top)
        for _ in range(100):
            self.house.pump()
        self.assertNoResult(done)
        clock.pump([0.0] * 100)
        self.assertEqual(self.successResultOf(done), self.platforms())

    def test_shared_in_turns(self) -> None:
        """Nor does one of many parts that share their blobs."""
        self.platforms()
        turns = Counted(Clock())
        findings = Findings(self.findings.repository, turns)
        findings._blobs.update(self.findings._blobs)
        self.house.settle(findings.platforms(top=self.top))
        self.assertGreaterEqual(turns._steps, 9)

    def test_bounded(self) -> None:
        """They begin anew when they have become many."""
        self.patch(module, "MAX_BLOBS", 1)
        self.patch(module, "MAX_IMAGES", 1)
        self.platforms()
        self.assertLessEqual(len(self.findings._blobs), 1)
        self.assertLessEqual(len(self.findings._images), 1)
