"""Answers that took long."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.observe.test_access import exchange
from txregistry.interfaces.history import EventKind
from txregistry.interfaces.observe import IExchangeObserver
from txregistry.observe.activity import Activity
from txregistry.observe.slow import SLOW_SECONDS, SlowAnswers, why_slow


class SlowTests(SynchronousTestCase):
    """What is told of them, and where their time went."""

    def test_told(self) -> None:
        """Only slow ones are, by the id of the request."""
        activity, slow = Activity(), SlowAnswers()
        activity.startService()
        self.addCleanup(activity.stopService)
        verifyObject(IExchangeObserver, slow)
        for seconds in (SLOW_SECONDS - 0.1, SLOW_SECONDS):
            slow.ended(exchange(seconds=seconds, wait_seconds=9.0))
        (event,) = activity.events(kinds=frozenset(), text="", limit=9)
        self.assertEqual((event.kind, event.request), (EventKind.SLOW, "r1"))
        self.assertEqual(
            event.text, "GET /v2/ took 10 s: 9 s until its head, 5 bytes at 5e-06 MB/s"
        )

    def why(self, status: str, waited: float) -> str:
        """Tell of 30 s, of which some went by before the head."""
        return why_slow(
            exchange(
                seconds=30.0,
                wait_seconds=waited,
                sent_bytes=int((30 - waited) * 5e6),
                cache_status=status,
            )
        )

    def test_why(self) -> None:
        """By where it came from, and who had to wait for whom."""
        for status, said in (
            ("txregistry; fwd=miss; stored", "it came from upstream"),
            (
                "txregistry; fwd=miss; collapsed",
                "it came from upstream, for another client as well",
            ),
            (
                "txregistry; hit; fwd=stale; detail=unavailable",
                "it was here: the upstream was waited for, and did not confirm it",
            ),
            (
                "txregistry; hit",
                "it was here: the upstream was asked whether it still is so",
            ),
        ):
            expected = f"20 s until its head, 50000000 bytes at 5 MB/s, {said}"
            self.assertEqual(self.why(status, 20.0), expected)

    def test_a_slow_client(self) -> None:
        """Where most of the time went by while the answer was sent."""
        for status in ("txregistry; hit", "txregistry; hit; fwd=stale"):
            said = self.why(status, 1.0)
            self.assertTrue(said.endswith("it was here: the client took its time"))

    def test_others(self) -> None:
        """Nothing is divided by nothing, and a push depends on its client."""
        found = exchange(seconds=30.0, wait_seconds=30.0, sent_bytes=0, aborted=True)
        self.assertEqual(
            why_slow(found), "30 s until its head, the client left before its end"
        )
        found = exchange(method="PATCH", seconds=30.0)
        self.assertEqual(why_slow(found), "most of it for what the client sent")
