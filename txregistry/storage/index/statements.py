"""Facts about the tree of names, as statements of SQL for the index.

What a scan of the tree meets is stored as seen until the scan ends: then it replaces
the old rows in one step. Its size costs no memory.
"""

from __future__ import annotations

import json

import attrs

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
CREATE TABLE IF NOT EXISTS seen (
    look INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (look, name)
) WITHOUT ROWID;
DELETE FROM seen;
"""


#: One value of a statement, or of a row.
Value = str | int | None


@attrs.frozen
class Fact:
    """An SQL statement.

    :ivar part: its part of the index: a repository by its name, or the catalogue.
    """

    part: str
    query: str
    values: tuple[Value, ...]


#: The part of an index that belongs to no repository.
CATALOGUE = ""

_ADD_REPOSITORY = "INSERT OR IGNORE INTO repositories VALUES (?)"
_DROP_REPOSITORY = "DELETE FROM repositories WHERE sort_key = ?"
_DROP_REPOSITORIES = "DELETE FROM repositories"
_SET_TAG = "INSERT OR REPLACE INTO tags VALUES (?, ?, ?)"
_READ_TAG = (
    "UPDATE tags SET digest = ? WHERE repository = ? AND tag = ? AND digest IS NULL"
)
_DROP_TAG = "DELETE FROM tags WHERE repository = ? AND tag = ?"
_FORGET_DIGESTS = "UPDATE tags SET digest = NULL WHERE repository = ?"
_SET_MANIFEST = "INSERT OR REPLACE INTO manifests VALUES (?, ?, ?, ?, ?, ?, ?)"
_DROP_MANIFEST = "DELETE FROM manifests WHERE repository = ? AND digest = ?"
_SEE = "INSERT OR IGNORE INTO seen VALUES (?, ?)"
_FORGET_SEEN = "DELETE FROM seen WHERE look = ?"
_KEEP_SEEN_TAGS = (
    "DELETE FROM tags WHERE repository = ? AND NOT EXISTS"
    " (SELECT 1 FROM seen WHERE look = ? AND name = tag)"
)
_ADD_SEEN_TAGS = (
    "INSERT OR IGNORE INTO tags SELECT ?, name, NULL FROM seen WHERE look = ?"
)
_KEEP_SEEN_MANIFESTS = (
    "DELETE FROM manifests WHERE repository = ? AND NOT EXISTS"
    " (SELECT 1 FROM seen WHERE look = ? AND name = digest)"
)
_ADD_SEEN_REPOSITORIES = (
    "INSERT OR IGNORE INTO repositories SELECT name FROM seen WHERE look = ?"
)


def sort_key(name: str) -> str:
    """Give a key whose code point order is the names' order by component."""
    return name.replace("/", "\x01")


def repository_added(name: RepositoryName) -> Fact:
    """Record a repository."""
    return Fact(CATALOGUE, _ADD_REPOSITORY, (sort_key(str(name)),))


def repository_gone(name: RepositoryName) -> Fact:
    """Record that a repository is empty."""
    return Fact(CATALOGUE, _DROP_REPOSITORY, (sort_key(str(name)),))


def tag_set(name: RepositoryName, tag: Tag, digest: Digest) -> Fact:
    """Record what a tag stands for."""
    return Fact(str(name), _SET_TAG, (str(name), str(tag), str(digest)))


def tag_read(name: RepositoryName, tag: Tag, digest: Digest) -> Fact:
    """Record what a tag was found to stand for, unless it was set or deleted since."""
    return Fact(str(name), _READ_TAG, (str(digest), str(name), str(tag)))


def tag_gone(name: RepositoryName, tag: Tag) -> Fact:
    """Record that a tag is gone."""
    return Fact(str(name), _DROP_TAG, (str(name), str(tag)))


def manifest_added(name: RepositoryName, manifest: Manifest) -> Fact:
    """Record what a manifest refers to."""
    subject = manifest.subject
    annotations = json.dumps(dict(manifest.annotations))
    values = (
        str(name),
        str(manifest.digest),
        None if subject is None else str(subject.digest),
        manifest.media_type,
        len(manifest.content),
        manifest.artifact_type,
        annotations if subject is not None else "{}",
    )
    return Fact(str(name), _SET_MANIFEST, values)


def manifest_gone(name: RepositoryName, digest: Digest) -> Fact:
    """Record that a manifest is gone."""
    return Fact(str(name), _DROP_MANIFEST, (str(name), str(digest)))


def seen(part: str, look: int, name: str) -> Fact:
    """Record that a scan has met a name: of a repository its :func:`sort_key`."""
    return Fact(part, _SEE, (look, name))


def seen_no_more(part: str, look: int) -> Fact:
    """Record that a scan has ended."""
    return Fact(part, _FORGET_SEEN, (look,))


def repositories_are_seen(look: int) -> list[Fact]:
    """Record that a scan has met all repositories that exist."""
    return [
        Fact(CATALOGUE, _DROP_REPOSITORIES, ()),
        Fact(CATALOGUE, _ADD_SEEN_REPOSITORIES, (look,)),
    ]


def tags_are_seen(name: RepositoryName, look: int) -> list[Fact]:
    """Record that a scan has met all tags that exist.

    What they stand for becomes unknown.
    """
    part, values = str(name), (str(name), look)
    return [
        Fact(part, _KEEP_SEEN_TAGS, values),
        Fact(part, _FORGET_DIGESTS, (part,)),
        Fact(part, _ADD_SEEN_TAGS, values),
    ]


def manifests_are_seen(name: RepositoryName, look: int) -> list[Fact]:
    """Record that a scan has met all manifests that exist."""
    return [Fact(str(name), _KEEP_SEEN_MANIFESTS, (str(name), look))]
