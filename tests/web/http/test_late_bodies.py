"""Bodies of HTTP/2 that still arrive after the answer."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.web.http.late_bodies import LateBodies


class LateBodyTests(SynchronousTestCase):
    """Each stream has a limit of its own."""

    def setUp(self) -> None:
        self.reset: list[int] = []
        self.bodies = LateBodies(self.reset.append)

    def test_limit(self) -> None:
        """A stream is reset when its body reaches the limit, once."""
        self.bodies.expect(1, 10)
        self.bodies.expect(3, 10)
        self.bodies.count(1, 9)
        self.assertEqual((self.reset, self.bodies.streams), ([], [3, 1]))
        for _ in range(2):
            self.bodies.count(1, 1)
            self.assertEqual((self.reset, self.bodies.streams), ([1], [3]))

    def test_at_once(self) -> None:
        """A body of which nothing is to be read is reset without waiting for it."""
        self.bodies.expect(1, 0)
        self.assertEqual((self.reset, self.bodies.streams), ([1], []))

    def test_ended(self) -> None:
        """A body that has ended is not expected, and its stream is not reset."""
        self.bodies.expect(1, 10)
        self.assertEqual(
            [self.bodies.forget(x) for x in (1, 1, 5)], [True, False, False]
        )
        self.bodies.count(1, 10)
        self.assertEqual((self.reset, self.bodies.streams), ([], []))
