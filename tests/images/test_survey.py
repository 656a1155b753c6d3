"""How many tags would pull."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.flow.changes import ChangeTimes
from txregistry.images import survey
from txregistry.images.survey import ReadinessSurvey
from txregistry.interfaces.readiness import IReadinessSurvey, Lacking
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName
from txregistry.testing.house import TestHouse
from txregistry.testing.repositories import image_manifest


class Looking:
    """Lacks what is said; counts how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.lacking: dict[str, Any] = {}

    def findings(self, name: Any) -> Deferred[Any]:
        return succeed(name)

    def lacks(self, image: Any, platforms: Any, findings: Any) -> Deferred[str]:
        assert findings == image.repository
        self.asked.append(str(image))
        return succeed(self.lacking.get(str(image), ""))


class SurveyTests(SynchronousTestCase):
    """A look at all tags of a house."""

    def setUp(self) -> None:
        self.house, self.images = TestHouse(), Looking()
        for name, tags in (("a/b", 3), ("c", 2)):
            self.push(name, *(f"v{number}" for number in range(tags)))
        self.changes: ChangeTimes | None = None
        self.survey = ReadinessSurvey(
            self.images,
            self.house.local,
            self.house.clock,
            self.house.clock,
            lambda: self.changes,
        )
        self.survey.startService()

    def push(self, name: str, *tags: str) -> None:
        path = f"/v2/{name}/blobs/uploads/?digest={Digest.of(b'{}')}"
        self.house.send("POST", path, b"{}")
        kind = "application/vnd.oci.image.manifest.v1+json"
        for tag in tags:
            path = f"/v2/{name}/manifests/{tag}"
            got = self.house.send("PUT", path, image_manifest(), Content_Type=kind)
            self.assertEqual(got.status, 201)

    def look(self) -> Any:
        self.survey.readiness()
        for _ in range(20):
            self.house.clock.advance(0.01)
        return self.survey.readiness()

    def test_all_tags(self) -> None:
        """Each is looked at once, in turns; what is lacking is said."""
        verifyObject(IReadinessSurvey, self.survey)
        self.images.lacking["a/b:v1"] = "not here"
        first = self.survey.readiness()
        self.assertEqual((first.looking, first.tags, first.at), (True, 0, 0.0))
        self.assertLess(len(self.images.asked), 5)  # others had a turn
        found = self.look()
        self.assertEqual((found.ready, found.tags, found.looking), (4, 5, False))
        self.assertEqual(found.lacking, (Lacking("a/b:v1", "not here"),))
        self.assertGreater(found.at, 1_700_000_000)
        self.assertEqual(len(self.images.asked), 5)

    def test_it_looks_again_when_it_is_old(self) -> None:
        """Not while it is new, and not by itself."""
        self.look()
        self.look()
        self.assertEqual(len(self.images.asked), 5)
        self.house.clock.advance(1000)
        self.assertEqual(len(self.images.asked), 5)
        self.look()
        self.assertEqual(len(self.images.asked), 10)

    def test_what_has_not_changed(self) -> None:
        """It is not looked at again, unless something was lacking."""
        self.changes = ChangeTimes()
        self.look()
        self.house.clock.advance(1000)
        found = self.look()
        self.assertEqual((found.ready, found.tags), (5, 5))
        self.assertEqual(len(self.images.asked), 5)
        self.changes.note("c")
        self.images.lacking["c:v1"] = "not here"
        for total in (7, 9):
            self.house.clock.advance(1000)
            found = self.look()
            self.assertEqual((found.ready, found.tags), (4, 5))
            self.assertEqual(len(self.images.asked), total)
        self.survey.forget()
        self.look()
        self.assertEqual(len(self.images.asked), 14)
        self.changes.begin("")
        self.house.clock.advance(1000)
        self.look()
        self.assertEqual(len(self.images.asked), 19)
        self.changes = None
        self.house.clock.advance(1000)
        self.look()
        self.assertEqual(len(self.images.asked), 24)

    def test_a_look_under_way(self) -> None:
        """What it had found when all was to be forgotten is not kept."""
        self.changes = ChangeTimes()
        self.survey.readiness()
        self.assertTrue(self.images.asked)
        self.survey.forget()
        self.images.lacking = {"a/b:v0": "denied"}
        found = self.look()
        self.assertEqual((found.ready, found.tags), (4, 5))
        self.assertFalse(found.looking)

    def test_many(self) -> None:
        """After a burst it takes little of a core, and tells how far it is."""
        self.patch(survey, "BURST_SECONDS", 2.5)

        def lacks(image: Any, platforms: Any, findings: Any) -> Deferred[str]:
            self.images.asked.append(str(image))
            return deferLater(self.house.clock, 1.0, lambda: "")

        self.patch(self.images, "lacks", lacks)
        self.survey.readiness()
        asked_at: list[float] = []
        for _ in range(12000):
            self.house.clock.advance(0.25)
            while len(asked_at) < len(self.images.asked):
                asked_at.append(self.house.clock.seconds())
            found = self.survey.readiness()
            if len(asked_at) == 4 and found.looking:
                self.assertIn((found.tags, found.at), ((3, 0.0), (4, 0.0)))
        waits = [round(b - a) for a, b in pairwise(asked_at)]
        self.assertEqual(waits[:2], [1, 1])
        # A second of work, and 20 in which others have the core; later it is 500.
        self.assertTrue(all(20 <= wait <= 22 for wait in waits[2:4]), waits)
        self.assertGreater(len(waits), 8)
        self.assertTrue(all(500 <= wait <= 502 for wait in waits[7:9]), waits)
        self.assertEqual((found.tags, found.ready), (5, 5))

    def test_pages(self) -> None:
        """However many there are."""
        self.patch(survey, "_PAGE", 1)
        self.assertEqual(self.look().tags, 5)
        self.patch(survey, "MAX_LACKING", 2)
        self.images.lacking = dict.fromkeys(set(self.images.asked), "x")
        self.house.clock.advance(1000)
        found = self.look()
        self.assertEqual((found.ready, len(found.lacking)), (0, 2))

    def test_failure(self) -> None:
        """It is told in the log, and what was known stays."""
        self.look()
        self.house.clock.advance(1000)
        self.patch(self.images, "lacks", lambda **_: fail(OSError("broken")))
        found = self.look()
        self.assertEqual((found.tags, found.looking), (5, False))

    def test_end(self) -> None:
        """A look under way ends, and none begins."""
        self.survey.readiness()
        self.survey.stopService()
        count = len(self.images.asked)
        found = self.look()
        self.assertEqual((len(self.images.asked), found.looking), (count, False))

    def test_a_repository_that_goes(self) -> None:
        """It has no tags."""
        gone = RepositoryName.parse("gone")
        self.patch(
            type(self.house.local),
            "repositories",
            lambda local, after, limit: succeed([] if after else [gone]),
        )
        self.assertEqual(self.look().tags, 0)
