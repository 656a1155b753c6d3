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
from collections.abc import Callable, Sequence
from typing import Any

import attrs
from twisted.logger import Logger
from twisted.python.failure import Failure

from txregistry.flow.database import Database
from txregistry.flow.deferred import deferred
from txregistry.interfaces.referrers import Referrer, Referrers
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.manifest.model import Manifest
from txregistry.spec.reference import RepositoryName, Tag

VERSION = 1
SCHEMA = """
CREATE TABLE IF NOT EXISTS repositories (
    sort_key TEXT PRIMARY KEY
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tags (
    repository TEXT NOT NULL, tag TEXT NOT NULL, digest TEXT,
    PRIMARY KEY (repository, tag)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tags_by_digest ON tags (repository, digest);
CREATE TABLE IF NOT EXISTS manifests (
    repository TEXT NOT NULL, digest TEXT NOT NULL, subject TEXT,
    media_type TEXT NOT NULL, size INTEGER NOT NULL,
    artifact_type TEXT, annotations TEXT NOT NULL,
    PRIMARY KEY (repository, digest)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS manifests_by_subject
    ON manifests (repository, subject, digest);
"""

Statement = tuple[str, tuple[Any, ...]]

_ADD_REPOSITORY = "INSERT OR IGNORE INTO repositories VALUES (?)"
_DROP_REPOSITORY = "DELETE FROM repositories WHERE sort_key = ?"
_SET_TAG = "INSERT OR REPLACE INTO tags VALUES (?, ?, ?)"
_ADD_TAG = "INSERT OR IGNORE INTO tags VALUES (?, ?, NULL)"
_DROP_TAG = "DELETE FROM tags WHERE repository = ? AND tag = ?"
_FORGET_DIGESTS = "UPDATE tags SET digest = NULL WHERE repository = ?"
_SET_MANIFEST = "INSERT OR REPLACE INTO manifests VALUES (?, ?, ?, ?, ?, ?, ?)"
_DROP_MANIFEST = "DELETE FROM manifests WHERE repository = ? AND digest = ?"
_REFERRERS = (
    "SELECT digest, size, media_type, artifact_type, annotations FROM manifests"
    " WHERE repository = ? AND subject = ? AND digest > ?"
    " AND (? IS NULL OR artifact_type = ?) ORDER BY digest LIMIT ?"
)


def sort_key(name: str) -> str:
    """Give what sorts by code point as names sort by component."""
    return name.replace("/", "\x01")


@attrs.define(eq=False)
class TreeIndex:
    """The rows, and what has been written since a look at the tree began."""

    _database: Database
    _journals: list[list[Statement]] = attrs.field(factory=list)
    _pending: list[Statement] = attrs.field(factory=list)
    _flushing: bool = False
    on_failure: Callable[[], None] = attrs.field(default=lambda: None)
    _log = Logger()

    def write(self, *statements: Statement) -> None:
        """Keep step with a change of the tree.

        Nobody waits: every question is put after what was written before it, and what
        is lost in a crash is found again by a look at the tree.
        """
        for journal in self._journals:
            journal.extend(statements)
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
    async def renew(self, look: Callable[[], Any]) -> None:
        """Put what a look at the tree gives in place of what was known.

        :param look: a coroutine function that gives statements.
        """
        journal: list[Statement] = []
        self._journals.append(journal)
        try:
            found: Sequence[Statement] = await look()
            await self._database.run(lambda db: _execute(db, [*found, *journal]))
        finally:
            self._journals.remove(journal)

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
    async def tags_unread(self, name: RepositoryName, limit: int) -> Any:
        """Fire with tags of which it is not known what they stand for."""
        rows = await self._rows(
            "SELECT tag FROM tags WHERE repository = ? AND digest IS NULL LIMIT ?",
            (str(name), limit),
        )
        return [Tag(tag) for (tag,) in rows]

    @deferred
    async def manifests(self, name: RepositoryName) -> set[str]:
        """Fire with the digests of all manifests that are known."""
        rows = await self._rows(
            "SELECT digest FROM manifests WHERE repository = ?", (str(name),)
        )
        return {digest for (digest,) in rows}

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
            return db.execute(query, values).fetchall()

        return self._database.run(ask)


def _limit(limit: int | None) -> int:
    return -1 if limit is None else limit


def _execute(db: sqlite3.Connection, statements: Sequence[Statement]) -> None:
    for query, values in statements:
        db.execute(query, values)


def repository_added(name: RepositoryName) -> Statement:
    """Say that a repository is there."""
    return _ADD_REPOSITORY, (sort_key(str(name)),)


def repository_gone(name: RepositoryName) -> Statement:
    """Say that a repository holds nothing any more."""
    return _DROP_REPOSITORY, (sort_key(str(name)),)


def tag_set(name: RepositoryName, tag: Tag, digest: Digest) -> Statement:
    """Say what a tag stands for."""
    return _SET_TAG, (str(name), str(tag), str(digest))


def tag_seen(name: RepositoryName, tag: Tag) -> Statement:
    """Say that there is a tag, whatever it stands for."""
    return _ADD_TAG, (str(name), str(tag))


def tag_gone(name: RepositoryName, tag: Tag) -> Statement:
    """Say that a tag is gone."""
    return _DROP_TAG, (str(name), str(tag))


def digests_unread(name: RepositoryName) -> Statement:
    """Say that it is not known what the tags of a repository stand for."""
    return _FORGET_DIGESTS, (str(name),)


def manifest_added(name: RepositoryName, manifest: Manifest) -> Statement:
    """Say what a manifest refers to."""
    subject = manifest.subject
    annotations = json.dumps(dict(manifest.annotations))
    return _SET_MANIFEST, (
        str(name),
        str(manifest.digest),
        None if subject is None else str(subject.digest),
        manifest.media_type,
        len(manifest.content),
        manifest.artifact_type,
        annotations if subject is not None else "{}",
    )


def manifest_gone(name: RepositoryName, digest: Digest) -> Statement:
    """Say that a manifest is gone."""
    return _DROP_MANIFEST, (str(name), str(digest))
