"""Which content matches its digest, by the identity of its file.

Note [Verified content]. Content is verified when it is written, and the identity of its
file (see :class:`FileStat`) is recorded: in memory for content in use, in the index for
the rest. A file of the same identity is served without being read first. A file of
another identity was damaged, copied, restored, or written by another program, and is
hashed once before it is trusted again. No row is essential: each lost row, as with the
index or in a crash, costs one reading of its content. A disk that loses bits changes
neither inode nor times: only a scrub notices, which reads everything, whatever is
recorded (Note [Scrubbing] in :mod:`txregistry.storage.scrub.scrubber`).
"""

from __future__ import annotations

import sqlite3

import attrs
from twisted.internet.defer import Deferred, DeferredSemaphore, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from txregistry.flow.context import in_context
from txregistry.flow.database import Database
from txregistry.flow.deferred import deferred
from txregistry.flow.flights import Flights
from txregistry.flow.lru import Lru
from txregistry.flow.streams import ShortRead
from txregistry.interfaces.driver import IStorageDriver, PathNotFound
from txregistry.spec.digest import Digest
from txregistry.storage.tree import layout

SCHEMA = """
CREATE TABLE IF NOT EXISTS verified (
    digest TEXT PRIMARY KEY, identity TEXT NOT NULL, size INTEGER NOT NULL
) WITHOUT ROWID;
"""
_FIND = "SELECT identity, size FROM verified WHERE digest = ?"
_RECORD = "INSERT OR REPLACE INTO verified VALUES (?, ?, ?)"
_FORGET = "DELETE FROM verified WHERE digest = ?"

#: Digests whose result is kept in memory; about 300 bytes each.
MAX_REMEMBERED = 100_000

#: Files that are read at once; other work has the rest of the disk's threads.
_HASHED_AT_ONCE = 4

#: Rows that wait to be written; beyond the limit they are dropped, which costs no more
#: than reading their content again.
_BATCH, _MAX_WAITING = 64, 10_000

#: The identity and size of verified content; ``None`` for content that is gone.
_Row = tuple[str, int] | None


@attrs.define(eq=False)
class Integrity:
    """Knows which content was verified; see Note [Verified content].

    :param database: has the table of :data:`SCHEMA`.
    """

    _driver: IStorageDriver
    _database: Database
    _found: Lru[Digest, tuple[str, bool]] = attrs.field(
        factory=lambda: Lru(MAX_REMEMBERED)
    )
    _waiting: dict[Digest, _Row] = attrs.field(factory=dict)
    _is_writing: bool = False
    _hashing: Flights[tuple[Digest, str], bool | None] = attrs.field(factory=Flights)
    _turns: DeferredSemaphore = attrs.field(
        factory=lambda: DeferredSemaphore(_HASHED_AT_ONCE)
    )
    _log = Logger()

    def recall(self, digest: Digest, identity: str) -> bool | None:
        """Tell whether a file matches its digest, if that is in memory.

        A driver that cannot tell files apart is trusted.
        """
        if not identity:
            return True
        known = self._found.get(digest)
        return known[1] if known is not None and known[0] == identity else None

    @deferred
    async def find(self, digest: Digest, identity: str, size: int) -> bool | None:
        """Fire with whether a file is already known to match its digest.

        A file whose length is not that of its digest does not. ``None`` for a file that
        has to be read.
        """
        found = self.recall(digest, identity)
        if found is not None:
            return found
        row = await self._row(digest)
        if row is None or (row[1] == size and row[0] != identity):
            return None
        self._remember(digest, identity, is_sound=row[1] == size)
        return row[1] == size

    def verify(self, digest: Digest, identity: str) -> Deferred[bool | None]:
        """Read all of a file and fire with whether it matches its digest.

        ``None`` if another file is there, or none. One reading serves all current and
        later callers. Fails with a ``DriverError``.
        """
        known = self.recall(digest, identity)
        if known is not None:
            return succeed(known)
        return self.reread(digest, identity)

    def reread(self, digest: Digest, identity: str) -> Deferred[bool | None]:
        """Do as :meth:`verify`, also with content that is known."""
        return self._hashing.join(
            (digest, identity), lambda: self._hash(digest, identity)
        )

    def record(self, digest: Digest, identity: str, size: int) -> None:
        """Record that a file matched its digest."""
        self._remember(digest, identity, is_sound=True)
        self._wait(digest, (identity, size))

    @deferred
    async def record_what_is_there(self, digest: Digest) -> None:
        """Record that content just moved into place was verified while written."""
        found = await self._driver.stat(path=layout.blob_data(digest))
        self.record(digest, found.identity, found.size)

    @deferred
    async def confirm(self, digest: Digest, identity: str, size: int) -> None:
        """Record that a scrub found a file to match its digest.

        What is in use keeps its place in memory: a scrub sees all content, once.
        """
        known = self.recall(digest, identity)
        if known is False:
            self.record(digest, identity, size)
        elif known is None and await self._row(digest) != (identity, size):
            self._wait(digest, (identity, size))

    def condemn(self, digest: Digest, identity: str) -> None:
        """Record that a file does not match its digest, whatever was known of it."""
        self._remember(digest, identity, is_sound=False)
        self._wait(digest, None)

    def forget(self, digest: Digest) -> None:
        """Forget content that is deleted."""
        self._found.pop(digest)
        self._wait(digest, None)

    def flush(self) -> Deferred[None]:
        """Write pending rows; fires even if that fails, which is logged."""
        rows, self._waiting = self._waiting, {}
        if not rows:
            return succeed(None)
        return self._database.run(lambda db: _write(db, rows)).addErrback(
            in_context(self._not_kept)
        )

    def _not_kept(self, failure: Failure) -> None:
        failure.trap(sqlite3.Error)
        self._log.warn(
            "verified content not recorded, it is reread after a restart: {error}",
            error=str(failure.value),
        )

    @deferred
    async def _row(self, digest: Digest) -> _Row:
        if digest in self._waiting:
            return self._waiting[digest]
        key = (str(digest),)
        try:
            return await self._database.run(
                lambda db: db.execute(_FIND, key).fetchone()
            )
        except sqlite3.Error:
            return None  # the content itself is verified

    @deferred
    async def _hash(self, digest: Digest, identity: str) -> bool | None:
        try:
            file = await self._driver.reader(path=layout.blob_data(digest))
        except PathNotFound:
            return None
        hasher = digest.hasher()
        try:
            if file.identity != identity:
                return None
            await self._turns.run(in_context(file.hash), hasher=hasher, size=file.size)
        except ShortRead:
            return None  # truncated meanwhile, so a different file
        finally:
            file.close()
        return await self._conclude(digest, identity, digest.matches(hasher))

    @deferred
    async def _conclude(
        self, digest: Digest, identity: str, is_sound: bool
    ) -> bool | None:
        """Record a result, unless the file was written to while it was read."""
        try:
            found = await self._driver.stat(path=layout.blob_data(digest))
        except PathNotFound:
            return None
        if found.identity != identity:
            return None
        if is_sound:
            self.record(digest, identity, found.size)
        else:
            self._remember(digest, identity, is_sound=False)
        return is_sound

    def _remember(self, digest: Digest, identity: str, is_sound: bool) -> None:
        self._found.put(digest, (identity, is_sound))

    def _wait(self, digest: Digest, row: _Row) -> None:
        if len(self._waiting) < _MAX_WAITING:
            self._waiting[digest] = row
        if len(self._waiting) >= _BATCH and not self._is_writing:
            self._is_writing = True
            self.flush().addBoth(self._written)

    def _written(self, _: object) -> None:
        self._is_writing = False


def _write(db: sqlite3.Connection, rows: dict[Digest, _Row]) -> None:
    for digest, row in rows.items():
        if row is None:
            db.execute(_FORGET, (str(digest),))
        else:
            db.execute(_RECORD, (str(digest), *row))
