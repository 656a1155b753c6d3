"""Counts over time."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.flow.database import Database
from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.history import HistoryAway, IHistory, Sample, Span
from txregistry.observe import history
from txregistry.observe.history import SCHEMA, VERSION, History

NOON = 1_700_000_000 - 1_700_000_000 % 86400 + 43200


class HistoryTests(SynchronousTestCase):
    """A service that takes samples."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOON + 30)
        self.counts: dict[str, float] = {"hits": 100.0}
        self.levels: Deferred[Mapping[str, float]] | None = None
        self.path = self.mktemp()
        self.history = self.build()
        self.history.startService()

    def build(self) -> History:
        return History(
            Database(self.path, InlineDisk(), SCHEMA, VERSION),
            lambda: dict(self.counts),
            lambda: self.levels or succeed({"stored": self.counts["hits"] * 2}),
            self.clock,
            self.clock,
        )

    def samples(self, span: Span = Span.DAY) -> list[Sample]:
        return list(self.successResultOf(self.history.samples(span=span)))

    def pass_minutes(self, number: int, rise: float = 1.0) -> None:
        for _ in range(number):
            self.counts["hits"] += rise
            self.clock.advance(60)

    def test_minutes(self) -> None:
        """Each has what was counted in it, not what was counted before the start."""
        verifyObject(IHistory, self.history)
        self.pass_minutes(2, 5.0)
        self.pass_minutes(1, 0.0)
        self.assertEqual(
            self.samples(),
            [
                Sample(NOON + 60, {"hits": 5.0}, {"stored": 210.0}),
                Sample(NOON + 120, {"hits": 5.0}, {"stored": 220.0}),
                Sample(NOON + 180, {}, {"stored": 220.0}),
            ],
        )

    def test_late_ones(self) -> None:
        """None is missing where they come late, as on a machine that is busy."""
        self.successResultOf(self.history.stopService())
        self.clock.advance(29)  # it starts at the end of a minute
        self.history = self.build()
        self.history.startService()
        for minute, late in enumerate((0, 29, 3, 25, 0), 1):
            then = NOON + 30 + 60 * minute + late
            self.clock.advance(then - self.clock.seconds())
        self.assertEqual(
            [sample.at for sample in self.samples()],
            [NOON + 60 * minute for minute in range(6)],
        )

    def test_middle(self) -> None:
        """One that is early is not followed by another at once."""
        for second, wait in ((30, 60), (29.9, 60.1), (31, 59), (0, 30), (20, 10)):
            found = history.until_middle(NOON + second)
            self.assertAlmostEqual(found, wait, places=5, msg=str(second))

    def test_hours_and_days(self) -> None:
        """They are sums of the minutes, and have the last level."""
        self.pass_minutes(90)
        hours, days = self.samples(Span.MONTH), self.samples(Span.TWO_YEARS)
        self.assertEqual([sample.at for sample in hours], [NOON, NOON + 3600])
        self.assertEqual([sample.counts["hits"] for sample in hours], [59.0, 31.0])
        self.assertEqual([sample.counts["hits"] for sample in days], [90.0])
        self.assertEqual(days[0].levels, {"stored": 380.0})

    def test_it_is_bounded(self) -> None:
        """What is older than a span is forgotten, and so is the future."""
        for minute in range(Span.DAY.kept + 100):
            self.history._database.run(
                lambda db, at=NOON + 60 * minute: history._record(db, at, {}, {})
            )
        rows = self.successResultOf(
            self.history._database.run(
                lambda db: db.execute(
                    "SELECT span, count(*) FROM history GROUP BY span"
                ).fetchall()
            )
        )
        self.assertEqual(dict(rows), {"day": 1440, "month": 26, "years": 2})
        # What a clock has written that was a day ahead is not shown.
        self.assertEqual([sample.at for sample in self.samples()], [])
        many = {str(number): 1.0 for number in range(history.MAX_SERIES + 9)}
        self.counts |= many
        self.pass_minutes(1)
        self.assertEqual(len(self.samples()[-1].counts), history.MAX_SERIES)
        self.counts |= {f"other{number}": 1.0 for number in range(9)}
        self.pass_minutes(1)
        for span in Span:
            for sample in self.samples(span):
                self.assertLessEqual(len(sample.counts), history.MAX_SERIES)

    def test_a_clock_that_is_wrong(self) -> None:
        """It takes nothing away: neither years back nor years ahead."""
        self.pass_minutes(3)
        for wrong in (1000, NOON * 2):
            self.history._database.run(
                lambda db, at=wrong: history._record(db, at, {"hits": 1.0}, {})
            )
        self.pass_minutes(1)
        for span, number in ((Span.DAY, 4), (Span.MONTH, 1), (Span.TWO_YEARS, 1)):
            self.assertEqual(len(self.samples(span)), number)
            self.assertEqual(sum(s.counts["hits"] for s in self.samples(span)), 4.0)

    def test_upstreams(self) -> None:
        """Sums are those of all rises; an upstream that goes takes nothing away."""
        self.counts = {"a/hits": 1000.0, "b/hits": 10.0}
        self.clock.advance(60)
        self.counts = {"b/hits": 12.0}
        self.clock.advance(60)
        self.counts = {"a/hits": 3.0, "b/hits": 12.0}
        self.clock.advance(60)
        found = [sample.counts for sample in self.samples()]
        self.assertEqual(found[0], {"hits": 1010.0, "a/hits": 1000.0, "b/hits": 10.0})
        self.assertEqual(
            found[1:], [{"hits": 2.0, "b/hits": 2.0}, {"hits": 3.0, "a/hits": 3.0}]
        )

    def test_a_stop_during_a_sample(self) -> None:
        """What it counts is counted once."""
        waits: Deferred[Mapping[str, float]] = Deferred()
        self.levels = waits
        self.pass_minutes(1, 100.0)
        stopping = self.history.stopService()
        self.assertNoResult(stopping)
        self.levels = None
        waits.callback({})
        self.successResultOf(stopping)
        self.history = self.build()
        self.assertEqual(sum(s.counts.get("hits", 0) for s in self.samples()), 100.0)

    def test_a_restart(self) -> None:
        """The last part of a minute is written, and counters that began anew count."""
        self.counts["hits"] += 7
        self.successResultOf(self.history.stopService())
        self.counts = {"hits": 0.0}
        self.history = self.build()
        self.history.startService()
        self.pass_minutes(1, 3.0)
        self.counts["hits"] = 2.0  # it was reset meanwhile
        self.clock.advance(60)
        found = [sample.counts.get("hits") for sample in self.samples()]
        self.assertEqual(found, [7.0, 3.0, 2.0])

    def test_what_cannot_be_written(self) -> None:
        """It is part of the next sample."""
        run = Database.run
        self.patch(Database, "run", lambda *_: fail(OSError("full")))
        self.pass_minutes(2)
        self.patch(Database, "run", run)
        self.pass_minutes(1)
        (sample,) = self.samples()
        self.assertEqual((sample.at, sample.counts), (NOON + 180, {"hits": 3.0}))

    def test_no_levels(self) -> None:
        """What was counted is recorded all the same."""
        self.levels = fail(OSError("gone"))
        self.pass_minutes(1)
        (sample,) = self.samples()
        self.assertEqual((sample.counts, sample.levels), ({"hits": 1.0}, {}))

    def test_what_cannot_be_read(self) -> None:
        """It is said why."""
        self.patch(
            Database,
            "run",
            lambda database, work: fail(sqlite3.OperationalError("disk I/O error")),
        )
        done = self.history.samples(span=Span.DAY)
        self.assertIn("I/O", str(self.failureResultOf(done, HistoryAway).value))

    def test_a_lost_file(self) -> None:
        """It begins anew, empty."""
        self.pass_minutes(1)
        self.successResultOf(self.history.stopService())
        with open(self.path, "wb") as file:
            file.write(b"no database" * 1000)
        self.history = self.build()
        self.history.startService()
        self.assertEqual(self.samples(), [])
        self.pass_minutes(1)
        self.assertEqual(len(self.samples()), 1)
