"""Slow work for many, each in turn."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from txregistry.auth.shares import RETRY_SECONDS, Shares
from txregistry.spec.errors import TooManyRequests


class ShareTests(SynchronousTestCase):
    """A queue with room for one that runs and four that wait."""

    def setUp(self) -> None:
        self.shares: Shares[str] = Shares(1, 4)
        self.begun: list[str] = []
        self.under_way: list[Deferred[str]] = []

    def ask(self, peer: str, user: str = "") -> list[Any]:
        outcome: list[Any] = []
        self.waiting = self.shares.run(peer, user, lambda: self.begin(peer))
        self.waiting.addBoth(outcome.append)
        return outcome

    def begin(self, peer: str) -> Deferred[str]:
        self.begun.append(peer)
        self.under_way.append(Deferred())
        return self.under_way[-1]

    def finish(self, count: int) -> None:
        for _ in range(count):
            self.under_way.pop(0).callback("done")

    def test_turns(self) -> None:
        """A wait counts from the peer's last turn: b and c come before a's third."""
        for peer in ("a", "a", "a", "b", "c"):
            self.ask(peer)
        self.finish(4)
        self.assertEqual(self.begun, ["a", "a", "b", "c", "a"])

    def test_who_has_most_gives_way(self) -> None:
        """When no more may wait, the last of whoever has the most is refused."""
        outcomes = [self.ask(peer) for peer in ("a", "a", "a", "a", "a")]
        newcomer = self.ask("b")
        self.assertEqual(newcomer, [])
        self.assertEqual([len(outcome) for outcome in outcomes], [0, 0, 0, 0, 1])
        self.assertEqual(outcomes[4][0].type, TooManyRequests)

    def test_equals(self) -> None:
        """Where all have the same, the newcomer is refused."""
        for peer in "abcde":
            self.ask(peer)
        self.assertEqual(self.ask("f")[0].type, TooManyRequests)

    def test_failure(self) -> None:
        """What fails does so for whoever waits, and the next begins."""
        outcome = self.ask("a")
        self.ask("b")
        self.under_way.pop().errback(ValueError())
        self.assertEqual(outcome[0].type, ValueError)
        self.assertEqual(self.begun, ["a", "b"])

    def test_leaving(self) -> None:
        """What was given up while it waited is never begun; what was begun holds on."""
        self.ask("a")
        self.waiting.cancel()
        self.ask("b")
        self.waiting.cancel()
        self.ask("c")
        self.assertEqual(self.begun, ["a"])
        self.finish(1)
        self.assertEqual(self.begun, ["a", "c"])

    def test_names_that_many_try(self) -> None:
        """A user's wait counts from the last turn of its name, from anywhere."""
        for peer, user in (("a", "ann"), ("b", "ann"), ("c", "ann"), ("d", "bob")):
            self.ask(peer, user)
        self.finish(3)
        self.assertEqual(self.begun, ["a", "b", "d", "c"])

    def test_one_network(self) -> None:
        """Addresses of one IPv6 network are one peer, and share its turns."""
        for peer in ("2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1"):
            self.ask(peer)
        self.finish(3)
        self.assertEqual(
            self.begun, ["2001:db8::1", "2001:db8::2", "192.0.2.1", "2001:db8::3"]
        )

    def test_nothing_is_kept(self) -> None:
        """When all have ended the result is given, and nobody is remembered waiting."""
        outcomes = [self.ask(peer) for peer in "abc"]
        self.finish(3)
        self.assertEqual(outcomes, [["done"], ["done"], ["done"]])
        self.assertEqual(self.under_way, [])
        for _ in range(6):
            self.ask("z")
        self.assertEqual(self.begun.count("z"), 1)

    def test_when_to_come_back(self) -> None:
        """A refusal says after how many seconds to ask again."""
        outcomes = [self.ask("a") for _ in range(6)]
        headers = outcomes[-1][0].value.headers
        self.assertEqual(headers, {"Retry-After": f"{RETRY_SECONDS:.0f}"})

    def test_refused_for_good(self) -> None:
        """What was refused is never begun, and takes no place of another."""
        for _ in range(6):
            self.ask("a")
        self.finish(5)
        self.assertEqual((self.begun, self.under_way), (["a"] * 5, []))
