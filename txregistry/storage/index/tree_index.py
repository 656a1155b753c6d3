"""An index of names beside the tree: repositories, tags and referrers.

The tree is the truth and this can be deleted at any time. It answers in a time that
does not grow with the number of names, which a directory cannot.

Note [Ensuring]. What is in the file may be older than the tree: another program may
have worked on it, or a crash come between a link and its row. So each process looks at
each part of the tree once before it believes the index about it, and from then on it
keeps step with what it writes itself. What is written while a look is under way is
recorded and done again on top of its result.
"""

from __future__ import annotations

import json
import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import count
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from txregistry.flow.database import Database
from txregistry.flow.deferred import deferred
from txregistry.interfaces.referrers import Referrer, Referrers
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import Unavailable
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storage.index import statements
from txregistry.storage.index.statements import Fact, sort_key

T = TypeVar("T")

_REFERRERS = (
    "SELECT digest, size, media_type, artifact_type, annotations FROM manifests"
    " WHERE repository = ? AND subject = ? AND digest > ?"
    " AND (? IS NULL OR artifact_type = ?) ORDER BY digest LIMIT ?"
)
_MANIFESTS = "SELECT digest FROM manifests WHERE repository = ? AND digest IN ({marks})"
_MANIFESTS_UNREAD = (
    "SELECT name FROM seen WHERE look = ? AND name > ? AND NOT EXISTS"
    " (SELECT 1 FROM manifests WHERE repository = ? AND digest = name)"
    " ORDER BY name LIMIT ?"
)


#: Facts of a look that wait for being written together, and their text in characters.
_BATCH, _BATCH_LENGTH = 512, 256 * 1024

#: Facts that wait for the next question.
_PENDING = 512

#: The file, by how often it was set aside, and how often writing to it has failed.
Epoch = tuple[int, int]


class IndexLost(Unavailable):
    """What the index was believed to know was lost; it is looked for again."""


@attrs.define(eq=False)
class Look:
    """A look at a part of the tree that is under way.

    :ivar number: in :func:`statements.seen`.
    :ivar part: of the facts that are recorded; see :class:`statements.Fact`.
    :ivar journal: what was written about the part since it began.
    :ivar is_over: nothing of it counts any more. Jobs may run after that which nobody
        waits for.
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
        """Write what harms nobody before this look has ended."""
        self._batch.extend(found)
        self._batch_length += sum(map(_length, found))
        if len(self._batch) >= _BATCH or self._batch_length >= _BATCH_LENGTH:
            await self.flush()

    async def flush(self) -> None:
        """Fire when all that was seen and written can be asked for."""
        batch, self._batch, self._batch_length = self._batch, [], 0
        await self._index.do(lambda db: self._execute(db, batch))

    async def end(self, found: Sequence[Fact]) -> None:
        """Let all become true at once."""
        await self._index.do(lambda db: self._end(db, found))

    def _end(self, db: sqlite3.Connection, found: Sequence[Fact]) -> None:
        # The journal is read here, on the database's thread: what came meanwhile may
        # have been written already, and would be undone by a journal without it.
        forgotten = statements.seen_no_more(self.part, self.number)
        self._index.flush(db)  # what came before the look
        self._execute(db, [*self._batch, *found, *self.journal, forgotten])

    def _execute(self, db: sqlite3.Connection, found: Sequence[Fact]) -> None:
        if self.is_over:
            return
        if self._index.epoch != self.epoch:
            raise _lost()  # and with it what was seen
        _execute(db, found)


@attrs.define(eq=False)
class TreeIndex:
    """The rows, and the looks at the tree that are under way.

    :ivar believed: the epoch to which belongs what whoever asks was told to believe.
    """

    _database: Database
    believed: Epoch = (0, 0)
    _looks: list[Look] = attrs.field(factory=list)
    _numbers: Iterator[int] = attrs.field(factory=count)
    _pending: deque[Fact] = attrs.field(factory=deque)
    _pending_length: int = 0
    _is_flushing: bool = False
    _failures: int = 0
    _log = Logger()

    @property
    def epoch(self) -> Epoch:
        """Give the present one; it changes on the database's thread."""
        return self._database.generation, self._failures

    def open(self) -> Deferred[None]:
        """Fire when the file is open: what is wrong with it shows best then."""
        return self.do(lambda db: None)

    def do(self, work: Callable[[sqlite3.Connection], T]) -> Deferred[T]:
        """Do work in a transaction on the database's thread."""
        return self._database.run(work)

    def write(self, *written: Fact) -> None:
        """Keep step with a change of the tree.

        Nobody waits, and nothing is written before there is enough of it: every
        question writes first what came before it, and what is lost with the process is
        found again by a look at the tree.
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
            flushed.addCallbacks(self._flushed, self._not_written)

    def flush(self, db: sqlite3.Connection) -> None:
        """Write all that was given, on the database's thread; fails with its error."""
        # Taken on the database's thread, so that what came meanwhile goes along.
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
        """Forget what waits, and with it what the index was believed to know.

        Trying again at once would be all that is done while a file cannot be opened.
        """
        self._log.failure("the index has lost step with the tree", failure)
        self._is_flushing = False
        self._failures += 1
        self._pending, self._pending_length = deque(), 0

    @deferred
    async def renew(
        self, part: str, look: Callable[[Look], Awaitable[list[Fact]]]
    ) -> None:
        """Put what a look at the tree gives in place of what was known.

        :param part: that is looked at; see :class:`statements.Fact`.
        :param look: gives facts that become true together, at its end.
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

    @deferred
    async def repositories(self, after: str, limit: int | None) -> list[RepositoryName]:
        """Fire with the names that sort after ``after``."""
        rows = await self._rows(
            "SELECT sort_key FROM repositories WHERE sort_key > ?"
            " ORDER BY sort_key LIMIT ?",
            (sort_key(after), _limit(limit)),
        )
        return [RepositoryName(key.replace("\x01", "/")) for (key,) in rows]

    @deferred
    async def tags(self, name: RepositoryName, after: str, limit: int | None) -> Any:
        """Fire with the tags that sort after ``after``."""
        rows = await self._rows(
            "SELECT tag FROM tags WHERE repository = ? AND tag > ?"
            " ORDER BY tag LIMIT ?",
            (str(name), after, _limit(limit)),
        )
        return [Tag(tag) for (tag,) in rows]

    @deferred
    async def tags_of(self, name: RepositoryName, digest: Digest) -> Any:
        """Fire with the tags known to stand for a digest, sorted."""
        rows = await self._rows(
            "SELECT tag FROM tags WHERE repository = ? AND digest = ? ORDER BY tag",
            (str(name), str(digest)),
        )
        return [Tag(tag) for (tag,) in rows]

    @deferred
    async def tags_unread(self, name: RepositoryName, after: str, limit: int) -> Any:
        """Fire with tags of which it is not known what they stand for, sorted."""
        rows = await self._rows(
            "SELECT tag FROM tags WHERE repository = ? AND tag > ?"
            " AND digest IS NULL ORDER BY tag LIMIT ?",
            (str(name), after, limit),
        )
        return [Tag(tag) for (tag,) in rows]

    @deferred
    async def manifests_unread(
        self, name: RepositoryName, look: Look, after: str, limit: int
    ) -> list[Digest]:
        """Fire with manifests that a look has met and that are not known, sorted."""
        await look.flush()
        values = (look.number, after, str(name), limit)
        rows = await self._rows(_MANIFESTS_UNREAD, values)
        return [Digest.parse(digest) for (digest,) in rows]

    @deferred
    async def manifests(
        self, name: RepositoryName, digests: Sequence[Digest]
    ) -> set[Digest]:
        """Fire with those of some digests that are manifests of a repository.

        :param digests: 500 at most.
        """
        marks = ", ".join("?" * len(digests))
        values = (str(name), *map(str, digests))
        rows = await self._rows(_MANIFESTS.format(marks=marks), values)
        return {Digest.parse(digest) for (digest,) in rows}

    @deferred
    async def referrers(
        self,
        name: RepositoryName,
        subject: Digest,
        artifact_type: str | None,
        after: str,
        limit: int | None,
    ) -> Referrers:
        """Fire with the manifests that refer to a subject."""
        values = (str(name), str(subject), after, artifact_type, artifact_type)
        rows = await self._rows(_REFERRERS, (*values, _limit(limit)))
        return [
            Referrer(
                Descriptor(Digest.parse(digest), size, media_type),
                kind,
                json.loads(annotations),
            )
            for digest, size, media_type, kind, annotations in rows
        ]

    def _rows(self, query: str, values: tuple[Any, ...]) -> Deferred[list[Any]]:
        believed = self.believed

        def ask(db: sqlite3.Connection) -> list[Any]:
            self.flush(db)
            rows = db.execute(query, values).fetchall()
            if self.epoch != believed:
                raise _lost()
            return rows

        return self.do(ask)


def _lost() -> IndexLost:
    return IndexLost("the index of names was lost and is made anew")


def _limit(limit: int | None) -> int:
    return -1 if limit is None else limit


def _execute(db: sqlite3.Connection, found: Sequence[Fact]) -> None:
    for fact in found:
        db.execute(fact.query, fact.values)


def _length(fact: Fact) -> int:
    return sum(len(value) for value in fact.values if isinstance(value, str))
