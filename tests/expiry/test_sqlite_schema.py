"""The tables of the ledger."""

from __future__ import annotations

import sqlite3

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txregistry.expiry.sqlite_schema import SCHEMA
from txregistry.interfaces.expiry import NEVER

ROWS = st.tuples(
    st.sampled_from("ab"),
    st.sampled_from(("blob", "manifest", "tag")),
    st.sampled_from("xy"),
)
STEPS = st.lists(
    st.tuples(ROWS, st.sampled_from((1.0, 2.0, NEVER)), st.booleans()), max_size=20
)


class SchemaTests(SynchronousTestCase):
    """Triggers keep the sum in step with the rows."""

    def test_parameters(self) -> None:
        """Nothing is left to be filled in."""
        self.assertNotIn(":never", SCHEMA)

    @given(STEPS)
    def test_sum(self, steps) -> None:
        """Whatever is added and removed, each content counts once."""
        db = sqlite3.connect(":memory:")
        db.executescript(SCHEMA)
        sizes = {"x": 5, "y": 70}
        for (name, kind, reference), use, removes in steps:
            bound = (name, kind, reference)
            if removes:
                db.execute(
                    "DELETE FROM entries"
                    " WHERE repository = ? AND kind = ? AND reference = ?",
                    bound,
                )
            else:
                db.execute(
                    "INSERT INTO entries VALUES (?, ?, ?, ?, ?)"
                    " ON CONFLICT DO UPDATE SET last_use = max(last_use, ?5)",
                    (*bound, sizes[reference], use),
                )
        uses = db.execute(
            "SELECT reference, max(last_use) FROM entries WHERE kind != 'tag'"
            " GROUP BY reference ORDER BY reference"
        ).fetchall()
        expected = sum(sizes[name] for name, use in uses if use < NEVER)
        found = db.execute(
            "SELECT reference, last_use FROM contents ORDER BY reference"
        ).fetchall()
        self.assertEqual(found, uses)
        self.assertEqual(db.execute("SELECT * FROM accounts").fetchall(), [(expected,)])
