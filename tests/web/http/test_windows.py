"""How long a stream may wait for its window."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.web.http.windows import ClosedWindows


class ClosedWindowsTests(SynchronousTestCase):
    """The clock of a stream, which runs while it has no room."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.given_up: list[int] = []
        self.room: dict[int, int] = {}
        self.windows = ClosedWindows(
            self.clock,
            lambda stream: self.room.get(stream, 0),
            100.0,
            1000.0,
            self.given_up.append,
        )
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))
        self.addCleanup(self.windows.stop)

    def open(self, stream: int, room: int) -> None:
        """Let a client open a window, which is used up at once."""
        self.room[stream] = room
        self.assertEqual(self.windows.collect_opened(), [stream])
        del self.room[stream]

    def test_given_up(self) -> None:
        """A stream that has had no room for long is given up once."""
        self.windows.mark_closed(1)
        self.clock.pump([99.0])
        self.assertEqual(self.given_up, [])
        self.clock.pump([2.0] + [50.0] * 9)
        self.assertEqual((self.given_up, self.windows.streams), ([1], []))

    def test_room_begins_anew(self) -> None:
        """Enough room lets a stream have all its time again."""
        self.windows.mark_closed(1)
        self.clock.advance(90)
        self.open(1, 1000)
        self.windows.mark_closed(1)
        self.clock.pump([90.0])
        self.assertEqual(self.given_up, [])

    def test_little_room(self) -> None:
        """Too little room does not."""
        for _ in range(11):
            self.windows.mark_closed(1)
            self.clock.advance(9.5)
            if not self.given_up:
                self.open(1, 1)
        self.assertEqual(self.given_up, [1])

    def test_little_adds_up(self) -> None:
        """Little room, often enough, is enough."""
        for _ in range(40):
            self.windows.mark_closed(1)
            self.clock.advance(9.5)
            self.open(1, 200)
        self.assertEqual(self.given_up, [])

    def test_time_with_room_does_not_count(self) -> None:
        """While we have nothing to send, the client cannot take it."""
        self.windows.mark_closed(1)
        self.clock.advance(10)
        self.open(1, 1)
        self.clock.advance(1000)
        self.windows.mark_closed(1)
        self.clock.advance(80)
        self.assertEqual(self.given_up, [])
        self.clock.pump([15.0])
        self.assertEqual(self.given_up, [1])

    def test_who_has_least_time_is_looked_at_first(self) -> None:
        """A stream that has used up most of its time does not wait for others."""
        self.windows.mark_closed(1)
        self.clock.advance(90)
        self.open(1, 1)
        self.windows.mark_closed(3)
        self.windows.mark_closed(1)
        self.clock.pump([11.0])
        self.assertEqual(self.given_up, [1])

    def test_ended(self) -> None:
        """A stream that has ended leaves nothing, whoever waits for it."""
        waits = self.windows.wait(1)
        self.windows.forget(1)
        self.clock.pump([200.0])
        self.assertEqual(self.given_up, [])
        self.assertNoResult(waits)

    def test_wait(self) -> None:
        """Whoever waits for room goes on when there is some."""
        waits = self.windows.wait(1)
        self.open(1, 5)
        self.assertIsNone(self.successResultOf(waits))

    def test_open(self) -> None:
        """A window that is open is not waited for."""
        self.room[1] = 5
        self.assertIsNone(self.successResultOf(self.windows.wait(1)))
        self.assertEqual(self.windows.streams, [])

    def test_one_ends_another(self) -> None:
        """A stream that another one ends when it opens is not resumed."""
        first, second = self.windows.wait(1), self.windows.wait(3)
        first.addCallback(lambda _: self.windows.forget(3))
        self.room.update({1: 5, 3: 5})
        self.assertEqual(self.windows.collect_opened(), [1])
        self.assertNoResult(second)
