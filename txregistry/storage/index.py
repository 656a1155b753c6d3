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
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import count
from typing import Any

import attrs
from twisted.logger import Logger
from twisted.python.failure import Failure

from txregistry.flow.database import Database
from txregistry.flow.deferred import deferred
from txregistry.interfaces.referrers import Referrer, Referrers
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import Unavailable
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storage import facts
from txregistry.storage.facts import Statement, sort_key

_REFERRERS = (
    "SELECT digest, size, media_type, artifact_type, annotations FROM manifests"
    " WHERE repository = ? AND subject = ? AND digest > ?"
    " AND (? IS NULL OR artifact_type = ?) ORDER BY digest LIMIT ?"
)
_MANIFESTS_UNREAD = (
    "SELECT name FROM seen WHERE look = ? AND name > ? AND NOT EXISTS"
    " (SELECT 1 FROM manifests WHERE repository = ? AND digest = name)"
    " ORDER BY name LIMIT ?"
)


#: Statements of a look that wait for being executed together.
_BATCH = 512


@attrs.define(eq=False)
class Look:
    """A look at the tree that is under way.

    :ivar number: in :func:`facts.seen`.
    :ivar generation: of the file when it began.
    :ivar journal: what was written since then.
    """

    _database: Database
    number: int
    generation: int
    journal: list[Statement] = attrs.field(factory=list)
    _batch: list[Statement] = attrs.field(factory=list)

    async def see(self, name: str) -> None:
        """Take note of a name."""
        await self.write(facts.seen(self.number, name))

    async def write(self, *statements: Statement) -> None:
        """Write what harms nobody before this look has ended."""
        self._batch.extend(statements)
        if len(self._batch) >= _BATCH:
            await self.flush()

    async def flush(self) -> None:
        """Fire when all that was seen and written can be asked for."""
        batch, self._batch = self._batch, []
        await self._database.run(lambda db: _execute(db, batch))

    async def end(self, found: Sequence[Statement]) -> None:
        """Let all become true at once."""
        last = [*self._batch, *found, *self.journal, facts.seen_no_more(self.number)]

        def work(db: sqlite3.Connection) -> None:
            if self._database.generation != self.generation:
                raise _lost()  # and with it what was seen
            _execute(db, last)

        await self._database.run(work)


@attrs.define(eq=False)
class TreeIndex:
    """The rows, and the looks at the tree that are under way.

    :ivar on_failure: is called when nothing that was known can be believed any more.
    """

    _database: Database
    _looks: list[Look] = attrs.field(factory=list)
    _numbers: Iterator[int] = attrs.field(factory=count)
    _pending: list[Statement] = attrs.field(factory=list)
    _flushing: bool = False
    _generation: int = 0
    on_failure: Callable[[], None] = attrs.field(default=lambda: None)
    _log = Logger()

    def write(self, *statements: Statement) -> None:
        """Keep step with a change of the tree.

        Nobody waits: every question is put after what was written before it, and what
        is lost in a crash is found again by a look at the tree.
        """
        for look in self._looks:
            look.journal.extend(statements)
        self._pending.extend(statements)
        if self._pending and not self._flushing:
            self._flushing = True
            flushed = self._database.run(self._flush)
            flushed.addErrback(self._not_written)
            flushed.addBoth(self._flushed)

    def _flush(self, db: sqlite3.Connection) -> None:
        # Taken on the database's thread, so that what came meanwhile goes along.
        pending, self._pending = self._pending, []
        _execute(db, pending)

    def _flushed(self, _: None) -> None:
        self._flushing = False
        self.write()

    def _not_written(self, failure: Failure) -> None:
        self._log.failure("the index has lost step with the tree", failure)
        self.on_failure()

    @deferred
    async def renew(self, look: Callable[[Look], Awaitable[list[Statement]]]) -> None:
        """Put what a look at the tree gives in place of what was known.

        :param look: gives statements that become true together, at its end.
        :return: fails with ``Unavailable`` when the file was lost meanwhile.
        """
        # What is wrong with the file shows best before the first row is written.
        await self._database.run(lambda db: None)
        self._notice()
        looking = Look(self._database, next(self._numbers), self._generation)
        self._looks.append(looking)
        try:
            await looking.end(await look(looking))
        except BaseException:
            self.write(facts.seen_no_more(looking.number))
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

    def _rows(self, query: str, values: tuple[Any, ...]) -> Any:
        def ask(db: sqlite3.Connection) -> list[Any]:
            self._flush(db)
            rows = db.execute(query, values).fetchall()
            if self._database.generation != self._generation:
                raise _lost()
            return rows

        return self._database.run(ask).addErrback(self._doubt)

    def _doubt(self, failure: Failure) -> Failure:
        self._notice()
        return failure

    def _notice(self) -> None:
        """Believe nothing of a file that is not the one it was about."""
        if self._generation != self._database.generation:
            self._generation = self._database.generation
            self.on_failure()


def _lost() -> Unavailable:
    return Unavailable("the index of names was damaged and is made anew")


def _limit(limit: int | None) -> int:
    return -1 if limit is None else limit


def _execute(db: sqlite3.Connection, statements: Sequence[Statement]) -> None:
    for query, values in statements:
        db.execute(query, values)
