"""For how long a tag is an answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.freshness import Freshness, TagPolicy


class FreshnessTests(SynchronousTestCase):
    """Tags and their age."""

    @given(st.floats(0, 1e9), st.floats(0, 1e9), st.floats(0, 1e6))
    def test_never_fresh_past_its_time(self, at: float, now: float, ttl: float) -> None:
        """An answer is fresh only within its time, and never from the future."""
        if TagPolicy(ttl).judge(at, now) is Freshness.FRESH:
            self.assertTrue(0 <= now - at < ttl)

    def test_behind(self) -> None:
        """Past its time an answer is served for a while, if it may be stale."""
        for policy, last in (
            (TagPolicy(60, stale_while_seconds=600), 660),
            (TagPolicy(0, stale_while_seconds=600), 600),
            (TagPolicy(60, 300, stale_while_seconds=600), 300),
        ):
            first = policy.fresh_seconds
            self.assertIs(policy.judge(0, first), Freshness.BEHIND)
            self.assertIs(policy.judge(0, last - 0.5), Freshness.BEHIND)
            self.assertIs(policy.judge(0, last + 0.5), Freshness.REVALIDATE)
            self.assertIs(policy.judge(1, 0), Freshness.REVALIDATE)
            self.assertIs(policy.judge(None, 0), Freshness.REVALIDATE)
        self.assertIs(TagPolicy(60).judge(0, 60), Freshness.REVALIDATE)

    def test_stale(self) -> None:
        """Without a limit everything may be served; with one, up to it."""
        self.assertTrue(TagPolicy(60).may_serve_stale(0, 1e9))
        self.assertTrue(TagPolicy(60, 100).may_serve_stale(0, 100))
        self.assertFalse(TagPolicy(60, 100).may_serve_stale(0, 101))
        self.assertIs(TagPolicy(60).judge(None, 0), Freshness.REVALIDATE)
