"""One holder per key, of whom a newcomer takes over."""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.sessions import Session, Sessions


class SessionsTests(SynchronousTestCase):
    """Who may work on something."""

    def setUp(self) -> None:
        self.sessions: Sessions[str] = Sessions()
        self.told: list[str] = []

    def enter(self, key: str = "k") -> Session:
        return self.successResultOf(self.sessions.acquire(key))

    def test_first_one_enters_at_once(self) -> None:
        """Nobody waits for a key that nobody holds."""
        session = self.enter()
        self.assertFalse(session.takeover_requested)
        self.assertEqual(len(self.sessions), 1)

    def test_nothing_is_left(self) -> None:
        """A key that nobody holds takes no memory."""
        self.enter().release()
        self.assertEqual(len(self.sessions), 0)
        self.assertEqual(self.sessions._holders, {})

    def test_keys_are_apart(self) -> None:
        """Holders of different keys do not see one another."""
        first, second = self.enter("a"), self.enter("b")
        self.assertFalse(first.takeover_requested or second.takeover_requested)
        first.release()
        self.assertEqual(len(self.sessions), 1)

    def test_newcomer_asks_the_holder_to_leave(self) -> None:
        """The holder is told once that somebody waits, and then the other enters."""
        first = self.enter()
        first.on_takeover(lambda: self.told.append("first"))
        waiting = self.sessions.acquire("k")
        self.assertNoResult(waiting)
        self.assertTrue(first.takeover_requested)
        self.assertEqual(self.told, ["first"])
        first.release()
        self.successResultOf(waiting).release()
        self.assertEqual(len(self.sessions), 0)

    def test_is_held(self) -> None:
        """From entering to leaving, for that key."""
        session = self.enter()
        self.assertEqual(
            (self.sessions.is_held("k"), self.sessions.is_held("j")), (True, False)
        )
        session.release()
        self.assertFalse(self.sessions.is_held("k"))

    def test_told_once(self) -> None:
        """Several newcomers do not tell the same holder several times."""
        first = self.enter()
        first.on_takeover(lambda: self.told.append("first"))
        waiting = [self.sessions.acquire("k") for _ in range(3)]
        self.assertEqual(self.told, ["first"])
        first.release()
        self.successResultOf(waiting[0])
        self.assertNoResult(waiting[1])

    def test_holder_who_says_late_how_to_hurry(self) -> None:
        """Who is asked before it said what to do is told as soon as it has."""
        first = self.enter()
        self.sessions.acquire("k")
        first.on_takeover(lambda: self.told.append("first"))
        self.assertEqual(self.told, ["first"])

    def test_the_next_of_several_is_hurried_too(self) -> None:
        """Who enters while others wait is asked to leave at once."""
        first = self.enter()
        waiting = [self.sessions.acquire("k") for _ in range(2)]
        first.release()
        second = self.successResultOf(waiting[0])
        self.assertTrue(second.takeover_requested)
        second.release()
        last = self.successResultOf(waiting[1])
        self.assertFalse(last.takeover_requested)
        last.release()
        self.assertEqual(len(self.sessions), 0)

    def test_leaving_twice(self) -> None:
        """A second leave lets nobody else in."""
        first = self.enter()
        first.release()
        second = self.enter()
        first.release()
        waiting = self.sessions.acquire("k")
        self.assertNoResult(waiting)
        second.release()
        self.successResultOf(waiting)

    def test_cancelled_while_waiting(self) -> None:
        """Who gives up waiting never holds it, and nobody else is the worse for it."""
        first = self.enter()
        given_up, waiting = self.sessions.acquire("k"), self.sessions.acquire("k")
        given_up.cancel()
        self.failureResultOf(given_up, CancelledError)
        first.release()
        self.successResultOf(waiting).release()
        self.assertEqual(len(self.sessions), 0)
        self.assertEqual(self.sessions._holders, {})

    def test_last_one_waiting_gives_up(self) -> None:
        """Nothing is left when the only one who waited has gone."""
        first = self.enter()
        waiting = self.sessions.acquire("k")
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        first.release()
        self.assertEqual(len(self.sessions), 0)

    def test_leaving_from_within_the_request_to_leave(self) -> None:
        """A holder may leave at once when it is told."""
        first = self.enter()
        first.on_takeover(first.release)
        second = self.successResultOf(self.sessions.acquire("k"))
        self.assertFalse(second.takeover_requested)
        second.release()
        self.assertEqual(len(self.sessions), 0)

    def test_one_after_the_other(self) -> None:
        """At no time are there two, whatever the number of those who come."""
        held: list[Session] = []
        inside = 0

        def entered(session: Session) -> None:
            nonlocal inside
            inside += 1
            self.assertEqual(inside, 1)
            held.append(session)

        for _ in range(20):
            self.sessions.acquire("k").addCallback(entered)
        for place in range(20):
            inside -= 1
            held[place].release()
        self.assertEqual((len(held), inside, len(self.sessions)), (20, 0, 0))
