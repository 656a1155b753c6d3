"""An upstream registry as a namespace."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import quote

import attrs
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.interfaces.namespace import INamespace, IRepository
from txregistry.remote.blobs import RemoteBlobs
from txregistry.remote.client import UpstreamClient
from txregistry.remote.manifests import RemoteManifests
from txregistry.remote.referrers import RemoteReferrers
from txregistry.remote.tags import RemoteTags
from txregistry.spec.errors import NameInvalid, UpstreamFailed
from txregistry.spec.reference import RepositoryName

_MAX_PAGE_BYTES = 4 * 1024 * 1024

#: Raised for a deeply nested document, and for an invalid name.
_UNREADABLE = (RecursionError, NameInvalid)


def _the_same(name: RepositoryName) -> RepositoryName:
    return name


@implementer(IRepository)
@attrs.frozen
class RemoteRepository:
    """One repository of an upstream."""

    name: RepositoryName
    blobs: RemoteBlobs
    manifests: RemoteManifests
    tags: RemoteTags
    referrers: RemoteReferrers


@implementer(INamespace)
@attrs.define(eq=False)
class RemoteNamespace:
    """The repositories of one upstream.

    :param there: returns what a repository is called at the upstream.
    """

    _client: UpstreamClient
    _there: Callable[[RepositoryName], RepositoryName] = _the_same

    def repository(self, name: RepositoryName) -> Deferred[IRepository]:
        """Fire with a repository, without checking that it exists."""
        there = self._there(name)
        return succeed(
            RemoteRepository(
                name,
                RemoteBlobs(self._client, there),
                RemoteManifests(self._client, there),
                RemoteTags(self._client, there),
                RemoteReferrers(self._client, there),
            )
        )

    @deferred
    async def repositories(
        self, after: str = "", limit: int | None = None
    ) -> list[RepositoryName]:
        """Fire with one page of the upstream's catalogue (``/v2/_catalog``).

        :return: fails with ``UpstreamFailed`` if the response is malformed, or as
            :meth:`UpstreamClient.request`.
        """
        path = f"/v2/_catalog?n={limit or 1000}"
        if after:
            path += f"&last={quote(after, safe='')}"
        response = await self._client.request("GET", path)
        body = await self._client.collect(response, _MAX_PAGE_BYTES)
        try:
            names = json.loads(body)["repositories"] or []
            return [RepositoryName.parse(name) for name in names][:limit]
        except (ValueError, LookupError, TypeError, *_UNREADABLE) as error:
            detail = {"upstream": self._client.host, "reason": "sent no catalogue"}
            raise UpstreamFailed(detail) from error
