"""When, how far and how fast: no clock, no disk."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.scrub import ScrubFinding, ScrubOutcome
from txregistry.spec.digest import Digest
from txregistry.storage.scrub.plan import (
    MAX_NAMED,
    ScrubPass,
    TokenBucket,
    fraction_of,
    is_behind,
    seconds_until_due,
)
from txregistry.storage.tree import layout

DAY = 86400.0


class DueTests(SynchronousTestCase):
    """When the next pass begins."""

    def test_interval(self) -> None:
        """Counted from the begin of the last complete pass."""
        last = ScrubPass(began_at=1000.0, ended_at=5000.0)
        self.assertEqual(seconds_until_due(last, DAY, 1000.0), DAY)
        self.assertEqual(seconds_until_due(last, DAY, 5000.0), DAY - 4000)
        self.assertEqual(seconds_until_due(last, DAY, 2 * DAY), 0.0)

    def test_unknown(self) -> None:
        """Without a last pass, or with one in the future, it is due at once."""
        self.assertEqual(seconds_until_due(None, DAY, 0.0), 0.0)
        self.assertEqual(seconds_until_due(ScrubPass(9e9), DAY, 1e9), 0.0)


class PositionTests(SynchronousTestCase):
    """What was dealt with, in the order of a walk."""

    def test_is_behind(self) -> None:
        """A directory is behind only if all below it is."""
        position = Digest("sha256", "5a" + "5" * 62)
        before = Digest("sha256", "5a" + "4" * 62)
        after = Digest("sha256", "5a" + "6" * 62)
        far = Digest("sha256", "5b" + "0" * 62)
        other = Digest("sha512", "0" * 128)
        blobs = layout.BLOBS
        for path, expected in (
            (layout.blob(position), True),
            (layout.blob_data(position), True),
            (layout.blob(before), True),
            (layout.blob_data(before), True),
            (f"{blobs}/sha256/59", True),
            (f"{blobs}/sha256/5a", False),
            (f"{blobs}/sha256/5b", False),
            (f"{blobs}/sha256", False),
            (f"{blobs}/sha512", False),
            (layout.blob(after), False),
            (layout.blob_data(after), False),
            (layout.blob_data(far), False),
            (layout.blob_data(other), False),
        ):
            self.assertEqual(is_behind(path, position), expected, path)
            self.assertFalse(is_behind(path, None))
        self.assertTrue(is_behind(layout.blob_data(far), other))

    def test_fraction(self) -> None:
        """Digests are spread evenly, so the first digits tell how far a pass is."""
        for digits, expected in (("00", 0.0), ("80", 0.5), ("c0", 0.75)):
            digest = Digest("sha256", digits + "0" * 62)
            self.assertEqual(fraction_of(digest), expected)
        self.assertEqual(fraction_of(Digest("sha512", "0" * 128)), 1.0)


class PaceTests(SynchronousTestCase):
    """The token bucket."""

    def test_rate(self) -> None:
        """Over any length of time, not more than the rate and half a second."""
        pace, now, total = TokenBucket(1000.0, 0.0), 0.0, 0
        for _ in range(50):
            now += pace.spend(700, now)
            total += 700
            self.assertGreaterEqual(now + 1e-6, total / 1000)
        self.assertAlmostEqual(now, 35.0)

    def test_after_a_wait(self) -> None:
        """Time in which nothing was read is not made up for."""
        pace = TokenBucket(1000.0, 0.0)
        self.assertEqual(pace.spend(500, 3600.0), 0.0)
        self.assertAlmostEqual(pace.spend(1000, 3600.0), 1.0)

    def test_no_limit(self) -> None:
        """A rate of 0 never waits."""
        self.assertEqual(TokenBucket(0.0, 0.0).spend(10**12, 0.0), 0.0)


class CountTests(SynchronousTestCase):
    """What a pass counts."""

    def test_outcomes(self) -> None:
        """Healed content is damaged too; what cannot be read may be sound."""
        found = ScrubPass(1.0)
        for outcome in ScrubOutcome:
            found = found.with_finding(outcome)
        self.assertEqual((found.damaged, found.healed), (3, 1))
        self.assertEqual((found.unreadable, found.missing), (1, 1))
        self.assertEqual(found.unresolved, 4)

    def test_report(self) -> None:
        """It names a bounded number, and says whether it is complete."""
        findings = [ScrubFinding("x", 1, ScrubOutcome.MISSING)] * (MAX_NAMED + 1)
        report = ScrubPass(1.0).report(findings, True, 2.0)
        self.assertEqual(len(report.findings), MAX_NAMED)
        self.assertEqual((report.complete, report.resumed), (False, True))
        self.assertTrue(ScrubPass(1.0, 2.0).report([], False, 2.0).complete)
