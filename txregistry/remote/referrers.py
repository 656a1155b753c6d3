"""Who refers to the manifests of one repository of an upstream."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urljoin

import attrs
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.interfaces.referrers import IReferrerService, Referrer, Referrers
from txregistry.remote.body import header
from txregistry.remote.client import UpstreamClient
from txregistry.remote.manifests import RemoteManifests
from txregistry.remote.origin import Origin
from txregistry.spec.digest import Digest
from txregistry.spec.errors import ManifestInvalid, ManifestUnknown, UpstreamFailed
from txregistry.spec.manifest.listing import entries_of
from txregistry.spec.manifest.model import MAX_MANIFEST_BYTES
from txregistry.spec.pagination import parse_next
from txregistry.spec.reference import RepositoryName, schema_tag

#: Pages of a list that are read at most, and their bytes together. A list that goes on
#: is an error: who reads a part of one would take the rest for unsigned.
MAX_PAGES = 100
MAX_LIST_BYTES = 16 * 1024 * 1024


@implementer(IReferrerService)
@attrs.define(eq=False)
class RemoteReferrers:
    """Referrers by the API, or where there is none by the tag schema.

    A failure of the upstream is a failure: an empty list would mean that nothing was
    ever signed.
    """

    _client: UpstreamClient
    _name: RepositoryName
    at_once: int | None = None

    @deferred
    async def list(
        self,
        digest: Digest,
        artifact_type: str | None = None,
        after: str = "",
        limit: int | None = None,
    ) -> Referrers:
        """Fire with a page of referrers, sorted by digest."""
        try:
            found = [item async for page in self._pages(digest) for item in page]
        except ManifestUnknown:
            found = await self._by_tag(digest)
        wanted = {
            str(item.descriptor.digest): item
            for item in found
            if artifact_type in (None, item.artifact_type)
        }
        return [wanted[key] for key in sorted(wanted) if key > after][:limit]

    async def _pages(self, digest: Digest) -> AsyncIterator[Referrers]:
        path, left = f"/v2/{self._name}/referrers/{digest}", MAX_LIST_BYTES
        for _ in range(MAX_PAGES):
            response = await self._client.ask(
                "GET", path, not_found=lambda: ManifestUnknown(str(digest))
            )
            link = parse_next(header(response, "Link"))
            body = await self._client.collect(response, MAX_MANIFEST_BYTES)
            left -= len(body)
            if left < 0:
                break
            yield self._read(body)
            if link is None:
                return
            path = self._same_origin(urljoin(urljoin(self._client.url, path), link))
        raise self._unusable("sent too long a list of referrers")

    @deferred
    async def _by_tag(self, digest: Digest) -> Referrers:
        manifests = RemoteManifests(self._client, self._name)
        try:
            manifest = await manifests.fetch(str(schema_tag(digest)), None)
        except ManifestUnknown:
            return []  # the upstream has said that nothing refers to it
        return self._read(manifest.content)

    def _read(self, content: bytes) -> Referrers:
        try:
            return [Referrer(*entry) for entry in entries_of(content)]
        except ManifestInvalid as error:
            raise self._unusable("sent no list of referrers") from error

    def _same_origin(self, url: str) -> str:
        if Origin.of(url) != Origin.of(self._client.url):
            raise self._unusable("pages lead to another host")
        return url

    def _unusable(self, reason: str) -> UpstreamFailed:
        return UpstreamFailed({"upstream": self._client.host, "reason": reason})
