"""What is remembered of scrubs across restarts, in the database of the index.

Nothing here is essential: without it a pass begins anew.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

import attrs
from twisted.logger import Logger

from txregistry.flow.database import Database, Work
from txregistry.flow.deferred import deferred
from txregistry.interfaces.scrub import ScrubFinding, ScrubOutcome
from txregistry.spec.digest import Digest
from txregistry.storage.scrub.plan import MAX_NAMED, ScrubPass

SCHEMA = """
CREATE TABLE IF NOT EXISTS scrub_passes (
    which TEXT PRIMARY KEY, began_at REAL NOT NULL, ended_at REAL NOT NULL,
    position TEXT NOT NULL, contents INTEGER NOT NULL, size INTEGER NOT NULL,
    skipped INTEGER NOT NULL, damaged INTEGER NOT NULL, healed INTEGER NOT NULL,
    unreadable INTEGER NOT NULL, missing INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS scrub_findings (
    digest TEXT PRIMARY KEY, size INTEGER NOT NULL, outcome TEXT NOT NULL,
    repositories TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS scrubbed (
    digest TEXT PRIMARY KEY, identity TEXT NOT NULL, at REAL NOT NULL
) WITHOUT ROWID;
"""
_PASSES = "SELECT * FROM scrub_passes"
_KEEP = "INSERT OR REPLACE INTO scrub_passes VALUES (?,?,?,?,?,?,?,?,?,?,?)"
_FINDINGS = "SELECT * FROM scrub_findings ORDER BY digest LIMIT ?"
_FIND = "INSERT OR REPLACE INTO scrub_findings VALUES (?, ?, ?, ?)"
_READ = "INSERT OR REPLACE INTO scrubbed VALUES (?, ?, ?)"
_READ_AT = "SELECT identity, at FROM scrubbed WHERE digest = ?"
_FORGET = "DELETE FROM scrubbed WHERE at < ?"

#: A digest, the identity of its file, and when it was read.
Row = tuple[str, str, float]


@attrs.frozen
class Remembered:
    """The passes that are known.

    :ivar current: one that was interrupted.
    :ivar last: the last complete one.
    :ivar findings: of the current one.
    """

    current: ScrubPass | None = None
    last: ScrubPass | None = None
    findings: tuple[ScrubFinding, ...] = ()


@attrs.define(eq=False)
class ScrubMemory:
    """Remembers passes; what cannot be written is logged and forgotten.

    :param database: has the tables of :data:`SCHEMA`.
    """

    _database: Database
    _log = Logger()

    @deferred
    async def load(self) -> Remembered:
        """Fire with what is known; with nothing if it cannot be read."""
        try:
            return await self._database.run(_load)
        except sqlite3.Error as error:
            self._log.warn("no earlier scrub is known: {error}", error=str(error))
            return Remembered()

    @deferred
    async def begin(self, begun: ScrubPass) -> None:
        """Record a new pass in the place of an interrupted one."""

        def write(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM scrub_findings")
            _keep(db, "current", begun)

        await self._try(write)

    @deferred
    async def keep(
        self, so_far: ScrubPass, findings: Sequence[ScrubFinding], read: Sequence[Row]
    ) -> None:
        """Record how far a pass has come, with what is new since the last time."""

        def write(db: sqlite3.Connection) -> None:
            _keep(db, "current", so_far)
            db.executemany(_FIND, [_finding_row(item) for item in findings])
            db.executemany(_READ, read)

        await self._try(write)

    @deferred
    async def complete(self, done: ScrubPass, forget_before: float) -> None:
        """Record a complete pass.

        :param forget_before: content that was read last before this time is gone.
        """

        def write(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM scrub_passes WHERE which = 'current'")
            _keep(db, "last", done)
            db.execute(_FORGET, (forget_before,))

        await self._try(write)

    @deferred
    async def read_at(self, digest: Digest, identity: str) -> float:
        """Fire with when a scrub has read a file last; 0 if that is unknown."""
        key = (str(digest),)
        try:
            row = await self._database.run(
                lambda db: db.execute(_READ_AT, key).fetchone()
            )
        except sqlite3.Error:
            return 0.0
        return float(row[1]) if row is not None and row[0] == identity else 0.0

    @deferred
    async def _try(self, work: Work[None]) -> None:
        try:
            await self._database.run(work)
        except sqlite3.Error as error:
            self._log.warn(
                "the position of the scrub is not kept, a restart begins it anew:"
                " {error}",
                error=str(error),
            )


def _load(db: sqlite3.Connection) -> Remembered:
    passes = {row[0]: ScrubPass(*row[1:]) for row in db.execute(_PASSES)}
    rows = db.execute(_FINDINGS, (MAX_NAMED,))
    findings = tuple(
        ScrubFinding(digest, size, ScrubOutcome(outcome), tuple(json.loads(names)))
        for digest, size, outcome, names in rows
    )
    return Remembered(passes.get("current"), passes.get("last"), findings)


def _keep(db: sqlite3.Connection, which: str, found: ScrubPass) -> None:
    db.execute(_KEEP, (which, *attrs.astuple(found)))


def _finding_row(found: ScrubFinding) -> tuple[str, int, str, str]:
    names = json.dumps(found.repositories)
    return found.digest, found.size, found.outcome.value, names
