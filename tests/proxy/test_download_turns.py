"""Turns of downloads."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from txregistry.proxy.download_turns import DownloadTurns
from txregistry.spec.digest import Digest


def digest(number: int) -> Digest:
    return Digest("sha256", f"{number:064x}")


@attrs.define(eq=False)
class Running:
    """A download as turns see it."""

    is_unwatched: bool = False
    has_failed: bool = False


class DownloadTurnsTests(SynchronousTestCase):
    """Who may begin, and who is next."""

    def turns(
        self, max_fills: int, connections: int, *running: Running
    ) -> DownloadTurns:
        turns = DownloadTurns(max_fills, connections)
        found: dict[Digest, Any] = {digest(n): one for n, one in enumerate(running)}
        turns.running.update(found)
        return turns

    def wait(
        self, turns: DownloadTurns, number: int, is_awaited: bool = True
    ) -> Deferred[None]:
        return turns.wait("client", "lib/x", digest(number), is_awaited)

    def test_clients(self) -> None:
        """They have all places there are, whatever nobody waits for."""
        unwatched = [Running(is_unwatched=True) for _ in range(3)]
        self.assertTrue(self.turns(4, 2, *unwatched).has_room(is_awaited=True))
        self.assertFalse(self.turns(3, 9, *unwatched).has_room(is_awaited=True))

    def test_others(self) -> None:
        """They have half of the connections, one at least, and never the last."""
        for connections, running, expected in (
            (9, [True] * 3, True),
            (9, [True] * 4, False),
            (9, [True] * 3 + [False] * 4, True),
            (9, [True] * 3 + [False] * 5, False),
            (2, [], True),
            (2, [True], False),
            (2, [False], False),
            (1, [], True),
        ):
            fills = [Running(is_unwatched=unwatched) for unwatched in running]
            turns = self.turns(32, connections, *fills)
            found = turns.has_room(is_awaited=False)
            self.assertEqual(found, expected, (connections, running))

    def test_clients_come_first(self) -> None:
        """What nobody waits for does not begin while a client's download waits."""
        turns = self.turns(1, 9, Running())
        other, client = self.wait(turns, 1, is_awaited=False), self.wait(turns, 2)
        self.assertFalse(turns.has_room(is_awaited=False))
        turns.running.clear()
        turns.wake_waiting()
        self.successResultOf(client)
        self.assertNoResult(other)
        turns.come(digest(2))
        turns.wake_waiting()
        self.successResultOf(other)

    def test_place_is_kept(self) -> None:
        """Nobody else gets the place of who is on the way back."""
        turns = self.turns(1, 9)
        first, second = self.wait(turns, 1), self.wait(turns, 2)
        turns.wake_waiting()
        self.successResultOf(first)
        self.assertFalse(turns.has_room(is_awaited=True))
        self.assertNoResult(second)
        self.assertTrue(turns)
        turns.come(digest(1))
        turns.wake_waiting()
        self.successResultOf(second)
        turns.come(digest(2))
        self.assertFalse(turns)

    def test_begun(self) -> None:
        """Whoever waits for a blob that another has begun need not wait on."""
        turns = self.turns(1, 9, Running())
        waiting = self.wait(turns, 1)
        self.assertIn(digest(1), turns)
        turns.wake(digest(1))
        self.successResultOf(waiting)
        self.assertNotIn(digest(1), turns)
        turns.wake(digest(1))

    def test_limits(self) -> None:
        """More room wakes as many as there is room for."""
        turns = self.turns(1, 9, Running())
        waiting = [self.wait(turns, number) for number in (1, 2, 3)]
        turns.limit(3, 9)
        self.assertEqual([one.called for one in waiting], [True, True, False])

    def test_who_gives_way(self) -> None:
        """Nobody whom a client waits for, and nobody who cleans up."""
        failed = Running(is_unwatched=True, has_failed=True)
        wanted, unwatched = Running(), Running(is_unwatched=True)
        self.assertIsNone(self.turns(9, 9, failed, wanted).find_unwatched())
        turns = self.turns(9, 9, failed, wanted, unwatched)
        self.assertIs(turns.find_unwatched(), unwatched)

    def test_too_many(self) -> None:
        """One connection is kept for manifests."""
        self.assertFalse(self.turns(9, 3, *[Running()] * 2).are_too_many())
        self.assertTrue(self.turns(9, 3, *[Running() for _ in "abc"]).are_too_many())
