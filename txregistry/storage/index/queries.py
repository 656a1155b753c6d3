"""What is asked of the index of names."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import cast

import attrs
from twisted.internet.defer import Deferred

from txregistry.flow.deferred import deferred
from txregistry.interfaces.referrers import Referrer, Referrers
from txregistry.interfaces.tags import Tags
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storage.index.statements import Value, sort_key

#: A row of :data:`_REFERRERS`.
_ReferrerRow = tuple[str, int, str, str | None, str]

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


#: One row of an answer.
Row = tuple[Value, ...]

#: Asks: a statement with its values, and fires with all rows.
Rows = Callable[[str, tuple[Value, ...]], Deferred[list[Row]]]


@attrs.frozen
class IndexQueries:
    """The queries; each fails with ``IndexLost`` or an error of SQLite, as rows do.

    Lists are sorted by code point, and hold all that there is without a ``limit``.
    """

    _rows: Rows

    @deferred
    async def repositories(self, after: str, limit: int | None) -> list[RepositoryName]:
        """Fire with the names that sort after ``after``, component by component."""
        keys = await self._texts(
            "SELECT sort_key FROM repositories WHERE sort_key > ?"
            " ORDER BY sort_key LIMIT ?",
            (sort_key(after), _limit(limit)),
        )
        return [RepositoryName(key.replace("\x01", "/")) for key in keys]

    @deferred
    async def tags(self, name: RepositoryName, after: str, limit: int | None) -> Tags:
        """Fire with the tags of a repository that sort after ``after``."""
        found = await self._texts(
            "SELECT tag FROM tags WHERE repository = ? AND tag > ?"
            " ORDER BY tag LIMIT ?",
            (str(name), after, _limit(limit)),
        )
        return [Tag(tag) for tag in found]

    @deferred
    async def tags_of(self, name: RepositoryName, digest: Digest) -> Tags:
        """Fire with the tags of a repository that are known to stand for a digest."""
        found = await self._texts(
            "SELECT tag FROM tags WHERE repository = ? AND digest = ? ORDER BY tag",
            (str(name), str(digest)),
        )
        return [Tag(tag) for tag in found]

    @deferred
    async def tags_unread(self, name: RepositoryName, after: str, limit: int) -> Tags:
        """Fire with the tags after ``after`` of which it is unknown what they are of.

        A scan has met their names; their links are still to be read.
        """
        found = await self._texts(
            "SELECT tag FROM tags WHERE repository = ? AND tag > ?"
            " AND digest IS NULL ORDER BY tag LIMIT ?",
            (str(name), after, limit),
        )
        return [Tag(tag) for tag in found]

    @deferred
    async def manifests_unread(
        self, name: RepositoryName, look: int, after: str, limit: int
    ) -> list[Digest]:
        """Fire with the manifests after ``after`` that the index lacks.

        :param look: the number of the scan that has met them, whose notes are written.
        """
        values = (look, after, str(name), limit)
        return list(map(Digest.parse, await self._texts(_MANIFESTS_UNREAD, values)))

    @deferred
    async def manifests(
        self, name: RepositoryName, digests: Sequence[Digest]
    ) -> set[Digest]:
        """Fire with those of some digests that are manifests of a repository.

        :param digests: 500 at most.
        """
        marks = ", ".join("?" * len(digests))
        values = (str(name), *map(str, digests))
        found = await self._texts(_MANIFESTS.format(marks=marks), values)
        return set(map(Digest.parse, found))

    @deferred
    async def referrers(
        self,
        name: RepositoryName,
        subject: Digest,
        artifact_type: str | None,
        after: str,
        limit: int | None,
    ) -> Referrers:
        """Fire with the manifests that refer to a subject, after the digest ``after``.

        :param artifact_type: that they have to have; ``None`` for any.
        """
        values = (str(name), str(subject), after, artifact_type, artifact_type)
        rows = await self._rows(_REFERRERS, (*values, _limit(limit)))
        return [_referrer(*cast(_ReferrerRow, row)) for row in rows]

    @deferred
    async def _texts(self, query: str, values: tuple[Value, ...]) -> list[str]:
        """Fire with the only column of some rows, which is text and never null."""
        rows = cast(list[tuple[str]], await self._rows(query, values))
        return [text for (text,) in rows]


def _referrer(
    digest: str, size: int, media_type: str, kind: str | None, annotations: str
) -> Referrer:
    descriptor = Descriptor(Digest.parse(digest), size, media_type)
    return Referrer(descriptor, kind, json.loads(annotations))


def _limit(limit: int | None) -> int:
    return -1 if limit is None else limit
