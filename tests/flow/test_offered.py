"""What has a name in the configuration."""

from __future__ import annotations

from importlib import metadata

from twisted.trial.unittest import SynchronousTestCase

from tests.offers import Point, offer
from txregistry.flow.offered import Offered

OURS = Offered(
    "txregistry.tests", {"path": "posixpath:join", "text": "string:capwords"}
)


class OfferedTests(SynchronousTestCase):
    """Ours, and those of others."""

    def test_ours_alone(self) -> None:
        """For a name of ours no package is looked through."""

        def refuse(**_: object) -> None:
            raise AssertionError("metadata was read")

        self.patch(metadata, "entry_points", refuse)
        self.assertIn("path", OURS)
        self.assertEqual(OURS.load("path")("a", "b"), "a/b")
        self.assertRaises(AssertionError, OURS.__contains__, "other")

    def test_others(self) -> None:
        """Those of packages are known by name, and imported when they are wanted."""
        point = Point("other", 7)
        offer(self, OURS, point)
        self.assertIn("other", OURS)
        self.assertEqual(sorted(OURS), ["other", "path", "text"])
        self.assertEqual((len(OURS), OURS.others), (3, {"other"}))
        self.assertEqual(point.loaded, 0)
        self.assertEqual(OURS.load("other"), 7)

    def test_names_are_taken(self) -> None:
        """A package that offers a name of ours does not get it."""
        offer(self, OURS, Point("path", 7))
        self.assertEqual((sorted(OURS), OURS.others), (["path", "text"], frozenset()))
        self.assertNotEqual(OURS.load("path"), 7)

    def test_rivals(self) -> None:
        """Packages that offer a name of ours are named, but for our own."""
        names = ["z", "a", "", "txregistry"]
        offer(self, OURS, *(Point("path", 7, name) for name in names), Point("x", 7))
        self.assertEqual(OURS.rivals("path"), ["a", "somewhere:make", "z"])
        self.assertEqual(OURS.rivals("text") + OURS.rivals("x"), [])

    def test_nobody(self) -> None:
        """What nobody offers cannot be had."""
        offer(self, OURS)
        self.assertNotIn("other", OURS)
        self.assertRaises(LookupError, OURS.load, "other")
