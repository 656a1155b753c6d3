"""The ledger in SQLite: the embedded default.

One row per (repository, kind, reference), where the reference is a digest or a tag. A
row is due by its last use and the current time to live, which is not stored: a changed
``proxy.ttl`` holds for everything at once.

Note [Batches]. Uses are recorded in memory and written together by :meth:`flush`, which
runs before every query. So the hot path needs no lock and no disk, and a query always
sees what was recorded. A crash loses at most the uses since the last flush, and
additions are found again in the tree. Where the database cannot be written, as on a
full disk, queries for a client, or before content is deleted, still work: they combine
the file with the batch in memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import TypeVar

import attrs
from zope.interface import implementer

from txregistry.flow.database import Database, Work
from txregistry.flow.deferred import deferred
from txregistry.flow.disk import Disk
from txregistry.interfaces.blobs import ILinkIndex
from txregistry.interfaces.expiry import (
    Entry,
    EntryKey,
    IExpiryLedger,
    ITagMemory,
    Kind,
)
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName

T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    repository TEXT NOT NULL, kind TEXT NOT NULL, reference TEXT NOT NULL,
    size INTEGER NOT NULL, last_use REAL NOT NULL,
    PRIMARY KEY (repository, kind, reference)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entries_by_use ON entries (last_use);
CREATE INDEX IF NOT EXISTS entries_by_reference ON entries (reference);
CREATE TABLE IF NOT EXISTS confirmed (
    repository TEXT NOT NULL, tag TEXT NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (repository, tag)
) WITHOUT ROWID;
"""
_VERSION = 1
_KEY = "repository = ? AND kind = ? AND reference = ?"
_INSERT = "INSERT OR IGNORE INTO entries VALUES (?, ?, ?, ?, ?)"
_UPSERT = (
    "INSERT INTO entries VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET size = excluded.size,"
    " last_use = max(last_use, excluded.last_use)"
)
_TOUCH = f"UPDATE entries SET last_use = max(last_use, ?) WHERE {_KEY}"  # noqa: S608
_DELETE = f"DELETE FROM entries WHERE {_KEY}"  # noqa: S608
_CLAIM = f"DELETE FROM entries WHERE {_KEY} AND last_use <= ?"  # noqa: S608
_CONFIRM = "INSERT OR REPLACE INTO confirmed VALUES (?, ?, ?)"
_DUE = "SELECT * FROM entries WHERE last_use < ? ORDER BY last_use LIMIT ?"
_HOLDERS = "SELECT DISTINCT repository FROM entries WHERE reference = ?"
_CONFIRMED = "SELECT at FROM confirmed WHERE repository = ? AND tag = ?"


@attrs.define
class _Batch:
    added: dict[EntryKey, Entry] = attrs.field(factory=dict)
    touched: dict[EntryKey, float] = attrs.field(factory=dict)
    forgotten: set[EntryKey] = attrs.field(factory=set)
    confirmed: dict[EntryKey, float] = attrs.field(factory=dict)

    def __bool__(self) -> bool:
        return bool(self.added or self.touched or self.forgotten or self.confirmed)

    def before(self, later: _Batch) -> None:
        """Put a failed batch back, below newer records."""
        self.added.update(later.added)
        self.touched.update(later.touched)
        self.forgotten = (self.forgotten - set(later.added)) | later.forgotten
        self.confirmed.update(later.confirmed)


@implementer(IExpiryLedger, ILinkIndex, ITagMemory)
@attrs.define(eq=False)
class SqliteLedger:
    """A ledger in a file, or in memory for ``:memory:``.

    :param disk: has exactly one thread: SQLite runs one query at a time.
    :ivar generation: grows when the file was unusable and was set aside: the tree must
        then be scanned again.
    """

    _path: str
    _disk: Disk
    is_shared: bool = False
    _database: Database = attrs.field(init=False)
    _batch: _Batch = attrs.field(factory=_Batch)

    def __attrs_post_init__(self) -> None:
        self._database = Database(self._path, self._disk, _SCHEMA, _VERSION)

    @property
    def generation(self) -> int:
        """Give how often the records were lost."""
        return self._database.generation

    def add(self, entry: Entry) -> None:
        """Record an addition."""
        self._batch.forgotten.discard(entry.key)
        self._batch.added[entry.key] = entry

    def touch(self, key: EntryKey, now: float) -> None:
        """Record a use."""
        self._batch.touched[key] = now

    def forget(self, key: EntryKey) -> None:
        """Record a removal."""
        self._batch.added.pop(key, None)
        self._batch.touched.pop(key, None)
        self._batch.forgotten.add(key)

    def confirm(self, key: EntryKey, now: float) -> None:
        """Record that the upstream confirmed a tag."""
        self._batch.confirmed[key] = now

    @deferred
    async def due(self, cutoff: float, limit: int) -> list[Entry]:
        """Fire with the entries last used before a time."""
        return await self._ask(lambda db: _entries(db.execute(_DUE, (cutoff, limit))))

    @deferred
    async def claim(self, entry: Entry) -> bool:
        """Remove an entry unless it was used since it was read."""
        bound = (*_columns(entry.key), entry.last_use)
        return await self._ask(lambda db: db.execute(_CLAIM, bound).rowcount == 1)

    @deferred
    async def holders(self, digest: Digest) -> frozenset[RepositoryName]:
        """Fire with the repositories that hold some content."""
        bound = (str(digest),)
        rows: list[tuple[str]] = await self._read(
            lambda db: db.execute(_HOLDERS, bound).fetchall()
        )
        added = {
            key.repository for key in self._batch.added if key.reference == str(digest)
        }
        return frozenset(RepositoryName(name) for (name,) in rows) | added

    @deferred
    async def confirmed_at(self, key: EntryKey) -> float | None:
        """Fire with when the upstream last confirmed a tag."""
        bound = (str(key.repository), key.reference)
        row: tuple[float] | None = await self._read(
            lambda db: db.execute(_CONFIRMED, bound).fetchone()
        )
        return self._batch.confirmed.get(key, None if row is None else row[0])

    @deferred
    async def restore(self, entries: Sequence[Entry]) -> None:
        """Record entries that are not known yet."""
        rows = [_row(entry) for entry in entries]
        await self._ask(lambda db: db.executemany(_INSERT, rows))

    @deferred
    async def entries(self) -> list[Entry]:
        """Fire with everything."""
        return await self._ask(lambda db: _entries(db.execute("SELECT * FROM entries")))

    @deferred
    async def flush(self) -> None:
        """Write the batch in memory."""
        await self._ask(lambda db: None)

    @deferred
    async def close(self) -> None:
        """Write the batch and close the file."""
        await self.flush()
        await self._database.close()

    @deferred
    async def _read(self, question: Work[T]) -> T:
        """Query the file; records that could not be written are in the batch."""
        try:
            return await self._ask(question)
        except sqlite3.OperationalError:
            return await self._database.run(question)

    @deferred
    async def _ask(self, question: Work[T]) -> T:
        batch, self._batch = self._batch, _Batch()

        def answer(db: sqlite3.Connection) -> T:
            if batch:
                _write(db, batch)
            return question(db)

        try:
            return await self._database.run(answer)
        except sqlite3.Error:
            batch.before(self._batch)
            self._batch = batch
            raise


def _write(db: sqlite3.Connection, batch: _Batch) -> None:
    db.executemany(_DELETE, [_columns(key) for key in batch.forgotten])
    db.executemany(_UPSERT, [_row(entry) for entry in batch.added.values()])
    db.executemany(
        _TOUCH, [(now, *_columns(key)) for key, now in batch.touched.items()]
    )
    db.executemany(
        _CONFIRM,
        [
            (str(key.repository), key.reference, now)
            for key, now in batch.confirmed.items()
        ],
    )


def _columns(key: EntryKey) -> tuple[str, str, str]:
    return str(key.repository), key.kind.value, key.reference


def _row(entry: Entry) -> tuple[str, str, str, int, float]:
    return (*_columns(entry.key), entry.size, entry.last_use)


def _entries(rows: sqlite3.Cursor) -> list[Entry]:
    return [
        Entry(EntryKey(RepositoryName(name), Kind(kind), reference), size, last_use)
        for name, kind, reference, size, last_use in rows
    ]
