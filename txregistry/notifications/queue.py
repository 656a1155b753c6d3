"""The events still to be posted, on disk, in order, for each endpoint."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import attrs

from txregistry.flow.database import Database
from txregistry.flow.deferred import deferred

VERSION = 1
SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    endpoint TEXT NOT NULL, envelope BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS events_by_endpoint ON events (endpoint, number);
"""

_NEXT = "SELECT number, envelope FROM events WHERE endpoint = ? ORDER BY number LIMIT ?"


@attrs.frozen
class Queued:
    """One event for one endpoint."""

    number: int
    envelope: bytes


@attrs.define(eq=False)
class EventQueue:
    """A queue that its caller has to bound: see :meth:`counts`."""

    _database: Database

    @deferred
    async def put(self, rows: Sequence[tuple[str, bytes]]) -> None:
        """Store events, each with its endpoint; fires when they are durable."""
        query = "INSERT INTO events (endpoint, envelope) VALUES (?, ?)"
        await self._database.run(lambda db: db.executemany(query, rows))

    @deferred
    async def next(self, endpoint: str, limit: int) -> list[Queued]:
        """Fire with the oldest events of an endpoint."""
        rows: list[tuple[int, bytes]] = await self._database.run(
            lambda db: db.execute(_NEXT, (endpoint, limit)).fetchall()
        )
        return [Queued(number, envelope) for number, envelope in rows]

    @deferred
    async def done(self, numbers: Sequence[int]) -> None:
        """Delete events that were posted."""
        rows = [(number,) for number in numbers]
        query = "DELETE FROM events WHERE number = ?"
        await self._database.run(lambda db: db.executemany(query, rows))

    @deferred
    async def counts(self, endpoints: Sequence[str]) -> dict[str, int]:
        """Fire with the number of events per endpoint; delete those of others."""

        def work(db: sqlite3.Connection) -> dict[str, int]:
            marks = ",".join("?" * len(endpoints))
            db.execute(
                f"DELETE FROM events WHERE endpoint NOT IN ({marks})",  # noqa: S608
                tuple(endpoints),
            )
            rows = db.execute("SELECT endpoint, count(*) FROM events GROUP BY 1")
            return dict(rows.fetchall())

        return await self._database.run(work)

    @deferred
    async def close(self) -> None:
        """Close the file."""
        await self._database.close()
