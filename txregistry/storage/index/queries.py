"""What is asked of the index of names."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from txregistry.flow.deferred import deferred
from txregistry.interfaces.referrers import Referrer, Referrers
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storage.index.statements import sort_key

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


@attrs.frozen
class IndexQueries:
    """The queries; each fails with ``Unavailable`` when the index was lost.

    :param rows: fires with the rows of a query, given its values.
    """

    _rows: Callable[[str, tuple[Any, ...]], Deferred[list[Any]]]

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
        """Fire with tags whose digest is unknown, sorted."""
        rows = await self._rows(
            "SELECT tag FROM tags WHERE repository = ? AND tag > ?"
            " AND digest IS NULL ORDER BY tag LIMIT ?",
            (str(name), after, limit),
        )
        return [Tag(tag) for (tag,) in rows]

    @deferred
    async def manifests_unread(
        self, name: RepositoryName, look: int, after: str, limit: int
    ) -> list[Digest]:
        """Fire with manifests that a scan has met and the index lacks, sorted.

        :param look: the number of the scan, whose notes are written.
        """
        values = (look, after, str(name), limit)
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


def _limit(limit: int | None) -> int:
    return -1 if limit is None else limit
