"""What a client of a test got."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.testing.house import TestHouse
from txregistry.testing.upstream import Fault


class AnswerTests(SynchronousTestCase):
    """A status, headers and a body."""

    def setUp(self) -> None:
        self.house = TestHouse()
        self.content = b"x" * 200_000
        digest = self.house.upstream.add_blob("a", self.content)
        self.path = f"/v2/a/blobs/{digest}"

    def test_whole(self) -> None:
        """All of it, with its length and the last value of each header."""
        got = self.house.get(self.path)
        self.assertEqual((got.status, got.body), (200, self.content))
        self.assertEqual((got.length, got.broken), (len(self.content), False))
        self.assertEqual(got.header("Accept-Ranges"), "bytes")
        self.assertIsNone(got.header("X-None"))

    def test_broken(self) -> None:
        """What had come before it broke off."""
        self.house.upstream.faults.append(Fault("/blobs/", times=99, cut_after=100_000))
        self.house.upstream.ranges = False
        got = self.house.get(self.path)
        self.assertTrue(got.broken)
        self.assertTrue(self.content.startswith(got.body))
