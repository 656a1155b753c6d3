"""An index of names beside the tree: repositories, tags and referrers.

The tree is the truth and this can be deleted at any time. Its response time does not
grow with the number of names, unlike a directory's.

Note [Ensuring]. What is in the file may be older than the tree: another program may
have worked on it, or a crash come between a link and its row. So each process scans
each part of the tree once before it trusts the index about it, and from then on updates
the index with its own changes. Changes made during a scan are recorded and replayed on
top of its result.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import count
from typing import TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from txregistry.flow.context import in_context
from txregistry.flow.database import Database
from txregistry.flow.deferred import deferred
from txregistry.spec.errors import Unavailable
from txregistry.storage.index import statements
from txregistry.storage.index.queries import IndexQueries, Row
from txregistry.storage.index.statements import Fact, Value

T = TypeVar("T")

#: Facts of a scan that are written together, and their text in characters.
_BATCH, _BATCH_LENGTH = 512, 256 * 1024

#: Facts that wait for the next query.
_PENDING = 512

#: The file, by how often it was set aside, and how often writing to it has failed.
Epoch = tuple[int, int]


class IndexLost(Unavailable):
    """The trusted contents of the index were lost; the tree is scanned again."""


@attrs.define(eq=False)
class Look:
    """A scan of a part of the tree that is under way.

    :ivar number: in :func:`statements.seen`.
    :ivar part: the part of the facts to record; see :class:`statements.Fact`.
    :ivar journal: what was written about the part since it began.
    :ivar is_over: its result is discarded. Jobs whose result nobody awaits may still
        run.
    """

    _index: TreeIndex
    number: int
    part: str
    epoch: Epoch
    journal: list[Fact] = attrs.field(factory=list)
    is_over: bool = False
    _batch: list[Fact] = attrs.field(factory=list)
    _batch_length: int = 0

    async def see(self, name: str) -> None:
        """Take note of a name."""
        await self.write(statements.seen(self.part, self.number, name))

    async def write(self, *found: Fact) -> None:
        """Write facts that have no effect before the scan ends."""
        self._batch.extend(found)
        self._batch_length += sum(map(_length, found))
        if len(self._batch) >= _BATCH or self._batch_length >= _BATCH_LENGTH:
            await self.flush()

    async def flush(self) -> None:
        """Fire when everything seen and written can be queried."""
        batch, self._batch, self._batch_length = self._batch, [], 0
        await self._index.do(lambda db: self._execute(db, batch))

    async def end(self, found: Sequence[Fact]) -> None:
        """Let all facts take effect at once."""
        await self._index.do(lambda db: self._end(db, found))

    def _end(self, db: sqlite3.Connection, found: Sequence[Fact]) -> None:
        # The journal is read here, on the database's thread: changes made meanwhile may
        # be written already, and an older journal would undo them.
        forgotten = statements.seen_no_more(self.part, self.number)
        self._index.flush(db)  # changes from before the scan
        self._execute(db, [*self._batch, *found, *self.journal, forgotten])

    def _execute(self, db: sqlite3.Connection, found: Sequence[Fact]) -> None:
        if self.is_over:
            return
        if self._index.epoch != self.epoch:
            raise _lost()  # together with what was seen
        _execute(db, found)


@attrs.define(eq=False)
class TreeIndex:
    """The rows, and the scans of the tree that are under way.

    :ivar believed: the epoch of the file that callers trust.
    :ivar queries: what can be asked; all that was written before is in the answers.
    """

    _database: Database
    believed: Epoch = (0, 0)
    queries: IndexQueries = attrs.field(init=False)
    _looks: list[Look] = attrs.field(factory=list)
    _numbers: Iterator[int] = attrs.field(factory=count)
    _pending: deque[Fact] = attrs.field(factory=deque)
    _pending_length: int = 0
    _is_flushing: bool = False
    _failures: int = 0
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self.queries = IndexQueries(self._rows)

    @property
    def epoch(self) -> Epoch:
        """Give the current epoch; it changes on the database's thread."""
        return self._database.generation, self._failures

    def open(self) -> Deferred[None]:
        """Fire when the file is open: most faults of the file show then."""
        return self.do(lambda db: None)

    def do(self, work: Callable[[sqlite3.Connection], T]) -> Deferred[T]:
        """Do work in a transaction on the database's thread."""
        return self._database.run(work)

    def write(self, *written: Fact) -> None:
        """Record a change of the tree.

        The caller does not wait, and changes are written in batches: every query writes
        pending changes first, and changes lost with the process are found again by a
        scan of the tree.
        """
        for look in self._looks:
            look.journal.extend(fact for fact in written if fact.part == look.part)
        self._pending.extend(written)
        self._pending_length += sum(map(_length, written))
        length = self._pending_length
        is_enough = len(self._pending) >= _PENDING or length >= _BATCH_LENGTH
        if is_enough and not self._is_flushing:
            self._is_flushing = True
            flushed = self.do(self.flush)
            flushed.addCallbacks(self._flushed, in_context(self._not_written))

    def flush(self, db: sqlite3.Connection) -> None:
        """Write all pending facts, on the database's thread; fails with its error."""
        # Taken on the database's thread, so that changes made meanwhile are included.
        waiting = self._pending
        pending = [waiting.popleft() for _ in range(len(waiting))]
        self._pending_length = 0
        try:
            _execute(db, pending)
            db.commit()
        except BaseException:
            self._failures += 1
            raise

    def _flushed(self, _: None) -> None:
        self._is_flushing = False
        self.write()

    def _not_written(self, failure: Failure) -> None:
        """Drop pending facts, and trust in the index with them.

        While a file cannot be opened, retrying at once would take all the time.
        """
        self._log.failure("the index no longer matches the tree", failure)
        self._is_flushing = False
        self._failures += 1
        self._pending, self._pending_length = deque(), 0

    @deferred
    async def renew(
        self, part: str, look: Callable[[Look], Awaitable[list[Fact]]]
    ) -> None:
        """Replace the rows of a part with the result of a scan.

        :param part: that is scanned; see :class:`statements.Fact`.
        :param look: yields facts that take effect together, at its end.
        :return: fails with ``Unavailable`` when the file was lost meanwhile.
        """
        looking = Look(self, next(self._numbers), part, self.believed)
        self._looks.append(looking)
        try:
            await looking.end(await look(looking))
        except BaseException:
            looking.is_over = True
            self.write(statements.seen_no_more(part, looking.number))
            raise
        finally:
            self._looks.remove(looking)

    def _rows(self, query: str, values: tuple[Value, ...]) -> Deferred[list[Row]]:
        believed = self.believed

        def ask(db: sqlite3.Connection) -> list[Row]:
            self.flush(db)
            rows = db.execute(query, values).fetchall()
            if self.epoch != believed:
                raise _lost()
            return rows

        return self.do(ask)


def _lost() -> IndexLost:
    return IndexLost("the index of names was lost and is rebuilt")


def _execute(db: sqlite3.Connection, found: Sequence[Fact]) -> None:
    for fact in found:
        db.execute(fact.query, fact.values)


def _length(fact: Fact) -> int:
    return sum(len(value) for value in fact.values if isinstance(value, str))
