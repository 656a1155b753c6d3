"""The ledger in SQLite: the embedded default.

One row per (repository, kind, reference), where the reference is a digest or a tag. A
row is due by its last use and the current time to live, which is not stored: a changed
``proxy.ttl`` holds for everything at once.

What is recorded is written in batches (Note [Batches] in
:mod:`txregistry.expiry.batch`). Where the database cannot be written, as on a full
disk, queries for a client, or before content is deleted, still work: they combine the
file with the batch in memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import TypeVar

import attrs
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from txregistry.expiry.batch import Batch
from txregistry.expiry.sqlite_schema import SCHEMA
from txregistry.flow.database import Database, Work
from txregistry.flow.deferred import deferred
from txregistry.flow.disk import Disk
from txregistry.interfaces.expiry import (
    NEVER,
    Entry,
    EntryKey,
    ILedger,
    Kind,
    LedgerAway,
    Stored,
)
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName

T = TypeVar("T")

_VERSION = 1

_KEY = "repository = ? AND kind = ? AND reference = ?"
_INSERT = (
    "INSERT INTO entries VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET"
    " size = CASE excluded.size WHEN 0 THEN size ELSE excluded.size END,"
    " last_use = CASE WHEN last_use < :never THEN last_use ELSE excluded.last_use END"
    " WHERE excluded.size NOT IN (0, size) OR last_use >= :never"
).replace(":never", repr(NEVER))
_UPSERT = (
    "INSERT INTO entries VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET size = excluded.size,"
    " last_use = max(last_use, excluded.last_use)"
)
_TOUCH = f"UPDATE entries SET last_use = max(last_use, ?) WHERE {_KEY}"  # noqa: S608
_DELETE = f"DELETE FROM entries WHERE {_KEY}"  # noqa: S608
_CLAIM = f"DELETE FROM entries WHERE {_KEY} AND last_use <= ?"  # noqa: S608
_UNCONFIRM = "DELETE FROM confirmations WHERE repository = ? AND reference = ?"
_CONFIRM = "INSERT OR REPLACE INTO confirmations VALUES (?, ?, ?, ?)"
_ORDER = "last_use, repository, kind, reference"
_DUE = (
    f"SELECT * FROM entries WHERE last_use < ? AND ({_ORDER}) > (?, ?, ?, ?)"  # noqa: S608
    f" ORDER BY {_ORDER} LIMIT ?"
)
#: Before every entry.
_FIRST = (float("-inf"), "", "", "")
_FIND = f"SELECT * FROM entries WHERE {_KEY}"  # noqa: S608
_HOLDERS = "SELECT * FROM entries WHERE reference = ?"
_STORED = "SELECT bytes FROM accounts"
_HELD = "SELECT * FROM entries WHERE reference = ? AND kind != 'tag'"
_COLDEST = (
    "SELECT reference, size, last_use FROM contents"
    " WHERE (last_use, reference) > (?, ?) AND last_use < ? AND size > 0"
    " AND NOT EXISTS (SELECT 1 FROM entries"
    " WHERE entries.reference = contents.reference AND kind = 'manifest')"
    " ORDER BY last_use, reference LIMIT ?"
)
_CONTENTS = (
    "SELECT reference, size, last_use FROM contents"
    " WHERE reference > ? ORDER BY reference LIMIT ?"
)
_MEASURE = (
    "UPDATE contents SET size = ?1"
    " WHERE reference = ?2 AND size != ?1 AND last_use < ?3"
)
_CONFIRMED = "SELECT at, what FROM confirmations WHERE repository = ? AND reference = ?"


@implementer(ILedger)
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
    _batch: Batch = attrs.field(factory=Batch)
    _scanned_generation: int = 0

    def __attrs_post_init__(self) -> None:
        self._database = Database(self._path, self._disk, SCHEMA, _VERSION)

    @property
    def generation(self) -> int:
        """Give how often the records were lost."""
        return self._database.generation

    def add(self, entry: Entry) -> None:
        """Record an addition."""
        self._batch.add(entry)

    def touch(self, key: EntryKey, now: float) -> None:
        """Record a use."""
        self._batch.touch(key, now)

    def forget(self, key: EntryKey) -> None:
        """Record a removal."""
        self._batch.forget(key)

    def confirm(self, key: EntryKey, now: float, what: str) -> None:
        """Record that the upstream confirmed something."""
        self._batch.confirm(key, now, what)

    @deferred
    async def due(
        self, cutoff: float, limit: int, after: Entry | None = None
    ) -> list[Entry]:
        """Fire with the entries last used before a time."""
        position = _FIRST if after is None else (after.last_use, *_columns(after.key))
        bound = (cutoff, *position, limit)
        return await self._ask(lambda db: _entries(db.execute(_DUE, bound)))

    @deferred
    async def claim(self, entry: Entry) -> bool:
        """Remove an entry unless it was used since it was read.

        Where the file cannot be written it is forgotten in memory: room can be made on
        a disk that is full.
        """
        try:
            return await self._ask(lambda db: _claim(db, entry))
        except sqlite3.OperationalError:
            if self._batch.was_used_since(entry):
                return False
            self._batch.forget(entry.key)
            return True

    def finish(self, entry: Entry) -> Deferred[None]:
        """Do nothing: what a process had claimed is found in the tree at its start."""
        return succeed(None)

    @deferred
    async def holders(self, digest: Digest) -> frozenset[RepositoryName]:
        """Fire with the repositories that hold some content."""
        bound = (str(digest),)
        found = await self._read(lambda db: _entries(db.execute(_HOLDERS, bound)))
        if self._scanned_generation != self.generation:
            raise LedgerAway("the tree was not scanned yet")
        held = self._batch.applied_to(found, str(digest))
        return frozenset(entry.key.repository for entry in held)

    @deferred
    async def stored(self) -> int:
        """Fire with the bytes of all content, be it recorded in memory only."""
        try:
            return await self._ask(_sum)
        except sqlite3.OperationalError:
            batch = attrs.evolve(self._batch)
            return await self._database.run(lambda db: _sum(db) + _change(db, batch))

    @deferred
    async def coldest(self, after: Stored | None, limit: int) -> list[Stored]:
        """Fire with a page of the blobs that were not used for longest."""
        last = (-1.0, "") if after is None else (after.last_use, after.reference)
        bound = (*last, NEVER, limit)
        return await self._read(lambda db: _stored(db.execute(_COLDEST, bound)))

    @deferred
    async def held(self, digest: Digest) -> list[Entry]:
        """Fire with the entries of some content."""
        bound = (str(digest),)
        found = await self._read(lambda db: _entries(db.execute(_HELD, bound)))
        return self._batch.applied_to(found, str(digest))

    @deferred
    async def contents(self, after: str, limit: int) -> list[Stored]:
        """Fire with a page of all content, by digest."""
        bound = (after, limit)
        return await self._ask(lambda db: _stored(db.execute(_CONTENTS, bound)))

    @deferred
    async def measured(self, sizes: Mapping[str, int], before: float) -> None:
        """Correct sizes of content that was not used since a time."""
        rows = [(size, reference, before) for reference, size in sizes.items()]
        await self._ask(lambda db: db.executemany(_MEASURE, rows))

    @deferred
    async def confirmed_at(self, key: EntryKey, what: str) -> float | None:
        """Fire with when the upstream last confirmed something, as far as is known."""
        bound = (str(key.repository), key.reference)
        row: tuple[float, str] | None = None
        try:
            row = await self._read(lambda db: db.execute(_CONFIRMED, bound).fetchone())
        except sqlite3.Error:
            pass  # as on a disk that is too full to open the file: the upstream knows
        found = self._batch.confirmed.get(key, row)
        return found[0] if found is not None and found[1] == what else None

    @deferred
    async def restore(self, entries: Sequence[Entry]) -> None:
        """Record entries that are not known yet."""
        rows = [_row(entry) for entry in entries]
        await self._ask(lambda db: db.executemany(_INSERT, rows))

    def scanned(self, generation: int) -> None:
        """Believe in what is recorded."""
        self._scanned_generation = generation

    @deferred
    async def entries(self) -> list[Entry]:
        """Fire with everything."""
        return await self._ask(lambda db: _entries(db.execute("SELECT * FROM entries")))

    @deferred
    async def find(self, key: EntryKey) -> Entry | None:
        """Fire with what is recorded of one thing."""
        found = await self._ask(lambda db: _entries(db.execute(_FIND, _columns(key))))
        return found[0] if found else None

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
        batch, self._batch = self._batch, Batch()

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


def _sum(db: sqlite3.Connection) -> int:
    row: tuple[int] = db.execute(_STORED).fetchone()
    return row[0]


def _change(db: sqlite3.Connection, batch: Batch) -> int:
    """Tell by how much the sum will change when a batch is written."""
    change = 0
    for reference in {key.reference for key in (*batch.added, *batch.forgotten)}:
        written = _entries(db.execute(_HELD, (reference,)))
        held = batch.applied_to(written, reference)
        change += _counted(held) - _counted(written)
    return change


def _counted(entries: list[Entry]) -> int:
    """Tell what content counts for that is held so."""
    held = [entry for entry in entries if entry.key.kind is not Kind.TAG]
    if any(entry.last_use >= NEVER for entry in held):
        return 0
    return max((entry.size for entry in held), default=0)


def _claim(db: sqlite3.Connection, entry: Entry) -> bool:
    is_claimed = (
        db.execute(_CLAIM, (*_columns(entry.key), entry.last_use)).rowcount == 1
    )
    if is_claimed:
        db.execute(_UNCONFIRM, (str(entry.key.repository), entry.key.reference))
    return is_claimed


def _write(db: sqlite3.Connection, batch: Batch) -> None:
    db.executemany(_DELETE, [_columns(key) for key in batch.forgotten])
    db.executemany(
        _UNCONFIRM, [(str(key.repository), key.reference) for key in batch.forgotten]
    )
    db.executemany(_UPSERT, [_row(entry) for entry in batch.added.values()])
    db.executemany(
        _TOUCH, [(now, *_columns(key)) for key, now in batch.touched.items()]
    )
    db.executemany(
        _CONFIRM,
        [
            (str(key.repository), key.reference, now, what)
            for key, (now, what) in batch.confirmed.items()
        ],
    )


def _columns(key: EntryKey) -> tuple[str, str, str]:
    return str(key.repository), key.kind.value, key.reference


def _row(entry: Entry) -> tuple[str, str, str, int, float]:
    return (*_columns(entry.key), entry.size, entry.last_use)


def _stored(rows: sqlite3.Cursor) -> list[Stored]:
    return [Stored(*row) for row in rows]


def _entries(rows: sqlite3.Cursor) -> list[Entry]:
    return [
        Entry(EntryKey(RepositoryName(name), Kind(kind), reference), size, last_use)
        for name, kind, reference, size, last_use in rows
    ]
