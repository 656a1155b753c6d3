"""What an upstream permits, and what is asked of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.ratelimit import (
    DEFAULT_WINDOW,
    MAX_SPACING,
    MIN_SPACING,
    Allowance,
    RatePolicy,
    parse_percent,
    parse_quota,
    spacing,
)


class ParseTests(SynchronousTestCase):
    """Values of headers and of a key."""

    def test_quota(self) -> None:
        """As registries write it."""
        for text, found in {
            "100;w=21600": (100, 21600.0),
            " 76;w=21600": (76, 21600.0),
            "5000": (5000, None),
            "10, 10;w=1, 50;w=60": (10, None),
            '10;policy="a";w=60': (10, 60.0),
            "10;w=0": (10, None),
            "": None,
            "none": None,
            "-1": None,
            None: None,
        }.items():
            self.assertEqual(parse_quota(text), found, text)

    def test_percent(self) -> None:
        """A share of one, with the sign or without."""
        self.assertEqual(parse_percent("10%"), 0.1)
        self.assertEqual(parse_percent("2.5"), 0.025)
        for text in ("", "x", "101%", "-5%"):
            with self.assertRaises(ValueError):
                parse_percent(text)

    @given(st.text(max_size=40))
    def test_any_text(self, text: str) -> None:
        """No header that an upstream can send is an error."""
        found = parse_quota(text)
        self.assertTrue(found is None or found[0] >= 0)


class PolicyTests(SynchronousTestCase):
    """Below the reserve, and after 429."""

    def setUp(self) -> None:
        self.policy = RatePolicy(0.1)

    def of(self, remaining: int, limit: int = 100, at: float = 0.0) -> Allowance:
        text = f"{limit};w=21600", f"{remaining};w=21600"
        return Allowance().seen(*text, at)

    def test_scarce(self) -> None:
        """Less than the reserve, for as long as the window."""
        self.assertFalse(self.policy.is_scarce(self.of(10), 1))
        self.assertTrue(self.policy.is_scarce(self.of(9), 1))
        self.assertTrue(self.policy.is_scarce(self.of(0), 21599))
        self.assertFalse(self.policy.is_scarce(self.of(0), 21600))
        self.assertFalse(self.policy.is_scarce(self.of(0, at=100), 50))
        self.assertFalse(RatePolicy(0.0).is_scarce(self.of(0), 1))
        self.assertFalse(self.policy.is_scarce(Allowance(), 1))
        self.assertFalse(self.policy.is_scarce(Allowance().seen(None, "0", 0), 1))

    def test_spaced(self) -> None:
        """What is left lasts for the window."""
        allowance = self.of(5)
        wanted = 21600 / 6
        self.assertEqual(spacing(allowance), wanted)
        self.assertTrue(self.policy.may_ask(allowance, None, 1))
        self.assertFalse(self.policy.may_ask(allowance, 1, 1 + wanted - 1))
        self.assertTrue(self.policy.may_ask(allowance, 1, 1 + wanted))
        self.assertTrue(self.policy.may_ask(self.of(50), 1, 1))

    def test_bounds_of_spacing(self) -> None:
        """Neither too often nor never again."""
        self.assertEqual(spacing(self.of(0)), MAX_SPACING)
        self.assertEqual(spacing(self.of(90_000, 10**6)), MIN_SPACING)

    def test_retry_after(self) -> None:
        """After 429 nothing is asked until then, whatever the headers said."""
        for before in (Allowance(), self.of(90)):
            allowance = before.refused(120.0, 100.0)
            self.assertTrue(self.policy.is_short(allowance, 219))
            self.assertFalse(self.policy.may_ask(allowance, None, 219))
            self.assertFalse(self.policy.is_short(allowance, 220))
            self.assertTrue(self.policy.may_ask(allowance, 100, 220))

    def test_429_alone(self) -> None:
        """Without a time it asks for nothing."""
        self.assertTrue(self.policy.may_ask(Allowance().refused(None, 5.0), 5, 5))

    def test_answer_without_headers(self) -> None:
        """It changes nothing."""
        allowance = self.of(5)
        self.assertIs(allowance.seen(None, None, 50), allowance)
        self.assertIs(allowance.seen("100", "x", 50), allowance)

    def test_windows(self) -> None:
        """That of what remains, or of the limit, or one hour."""
        self.assertEqual(Allowance().seen("9;w=60", "1", 0).window, 60)
        self.assertEqual(Allowance().seen("9;w=60", "1;w=30", 0).window, 30)
        self.assertEqual(Allowance().seen("9", "1", 0).window, DEFAULT_WINDOW)

    @given(
        st.integers(0, 10**6),
        st.integers(0, 10**6),
        st.floats(0, 1e6),
        st.floats(0, 1e6),
    )
    def test_never_silent_for_long(
        self, remaining: int, limit: int, asked_at: float, now: float
    ) -> None:
        """Whatever an upstream or a clock says, one question an hour is asked."""
        allowance = self.of(remaining, limit, at=now).refused(3600.0, now)
        later = now + 2 * MAX_SPACING
        self.assertTrue(self.policy.may_ask(allowance, asked_at, later + asked_at))
