"""Bodies of HTTP/2 in frames."""

from __future__ import annotations

from collections import deque

from twisted.trial.unittest import SynchronousTestCase

from txregistry.web.http.pieces import in_pieces, in_turns, take_pieces

KIB = 1024
END = object()


class SplitTests(SynchronousTestCase):
    """How long a frame is."""

    def test_sizes(self) -> None:
        """As long as the client accepts, and no longer than we like."""
        data = bytes(150 * KIB)
        for longest, expected in (
            (16 * KIB, [16] * 9 + [6]),
            (2**24 - 1, [64, 64, 22]),
        ):
            sizes = [len(piece) // KIB for piece in in_pieces(data, longest)]
            self.assertEqual(sizes, expected)
        self.assertEqual(list(in_pieces(b"", 16 * KIB)), [])


class TurnTests(SynchronousTestCase):
    """Who is served next."""

    def test_turns(self) -> None:
        """Whoever was served waits for all others; one that has gone is no matter."""
        for served, expected in (
            (0, [1, 3, 7]),
            (3, [7, 1, 3]),
            (5, [7, 1, 3]),
            (7, [1, 3, 7]),
        ):
            self.assertEqual(in_turns([3, 7, 1], served), expected)
        self.assertEqual(in_turns([], 5), [])


class TakeTests(SynchronousTestCase):
    """How many go at once."""

    def take(self, *sizes: int, window: int = 10**6, longest: int = 64) -> list[int]:
        """Take of pieces of so many KiB; give what is taken."""
        queue = deque([bytes(size * KIB) for size in sizes] + [END])
        found = take_pieces(queue, window, longest * KIB)
        self.assertEqual(len(queue), len(sizes) + 1 - len(found))
        return [len(piece) // KIB for piece in found]

    def test_limits(self) -> None:
        """Until the window is used up, or there is enough for one write."""
        self.assertEqual(self.take(16, 16), [16, 16])
        self.assertEqual(self.take(*[64] * 6), [64] * 4)
        self.assertEqual(self.take(16, 16, 16, window=40 * KIB), [16, 16])
        self.assertEqual(self.take(16, window=0), [])

    def test_marker(self) -> None:
        """What stands last is left where it is."""
        self.assertEqual(self.take(), [])
        queue = deque([b"a", b"b"])
        self.assertEqual(take_pieces(queue, 10, 10), [b"a"])
        self.assertEqual(list(queue), [b"b"])

    def test_longest(self) -> None:
        """A client that accepts less now gets it in other pieces."""
        self.assertEqual(self.take(16, 64, longest=16), [16])
