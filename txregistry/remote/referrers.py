"""The referrers of manifests in one repository of an upstream."""

from __future__ import annotations

from itertools import islice

import attrs
from twisted.web.iweb import IResponse
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.turns import Turns
from txregistry.interfaces.referrers import IReferrerService, Referrer, Referrers
from txregistry.remote.body import header
from txregistry.remote.client import UpstreamClient
from txregistry.remote.failures import StorageRefused
from txregistry.remote.manifests import RemoteManifests
from txregistry.remote.pages import pages, too_long
from txregistry.spec.digest import Digest
from txregistry.spec.errors import (
    ManifestInvalid,
    ManifestUnknown,
    UpstreamFailed,
)
from txregistry.spec.manifest.listing import entries_of
from txregistry.spec.manifest.model import MAX_MANIFEST_BYTES
from txregistry.spec.reference import RepositoryName, schema_tag

#: Bytes of all pages of a list. A longer list is an error, as a client that got only a
#: part would miss signatures.
MAX_LIST_BYTES = 16 * 1024 * 1024

#: Entries of all pages of a list.
MAX_ENTRIES = 10_000

#: Statuses of upstreams without the referrers API.
_API_MISSING = (400, 404, 405, 406, 410, 501)


@implementer(IReferrerService)
@attrs.define(eq=False)
class RemoteReferrers:
    """Referrers by the API, or by the tag schema if there is none.

    See the OCI distribution specification, "Listing Referrers" and "Unavailable
    Referrers API". A failure of the upstream fails the request, as an empty list would
    mean that there are no signatures.
    """

    _client: UpstreamClient
    _name: RepositoryName
    page_size: int | None = None

    @deferred
    async def list(
        self,
        digest: Digest,
        artifact_type: str | None = None,
        after: str = "",
        limit: int | None = None,
    ) -> Referrers:
        """Fire with a page of referrers, sorted by digest.

        The whole list is requested for each page, as upstreams have different orders.

        :return: fails with ``UpstreamFailed`` if the list is malformed or too long, or
            as :meth:`UpstreamClient.request`.
        """
        found = await self._by_api(digest)
        if found is None:
            found = await self._by_tag(digest)
        wanted = {
            str(item.descriptor.digest): item
            for item in found
            if artifact_type in (None, item.artifact_type)
        }
        return [wanted[key] for key in sorted(wanted) if key > after][:limit]

    @deferred
    async def _by_api(self, digest: Digest) -> Referrers | None:
        """Fire with the list of the API, or ``None`` if there is no API."""
        found: Referrers = []
        path = f"/v2/{self._name}/referrers/{digest}"
        try:
            async for response, body in pages(
                *(self._client, path, MAX_MANIFEST_BYTES, MAX_LIST_BYTES),
                *(_ApiMissing, _API_MISSING),
            ):
                if _is_html(response, body):
                    return None
                found += await self._client.parse_long(self._read, body)
                if len(found) > MAX_ENTRIES:
                    raise too_long(self._client)
        except (_ApiMissing, StorageRefused):
            return None
        return found

    @deferred
    async def _by_tag(self, digest: Digest) -> Referrers:
        manifests = RemoteManifests(self._client, self._name)
        try:
            manifest = await manifests.fetch(str(schema_tag(digest)), None)
        except ManifestUnknown:
            return []  # without API and tag there are no referrers
        return await self._client.parse_long(self._read, manifest.content)

    async def _read(self, content: bytes, turns: Turns) -> Referrers:
        found: Referrers = []
        try:
            for entry in islice(entries_of(content), MAX_ENTRIES + 1):
                found.append(Referrer(*entry))
                await turns.take()
        except ManifestInvalid as error:
            raise self._bad_response("sent no list of referrers") from error
        return found

    def _bad_response(self, reason: str) -> UpstreamFailed:
        return UpstreamFailed({"upstream": self._client.host, "reason": reason})


class _ApiMissing(ManifestUnknown):
    """The upstream has no referrers API."""


def _is_html(response: IResponse, body: bytes) -> bool:
    """Return whether a body is HTML, such as a login page."""
    kind = (header(response, "Content-Type") or "").strip().lower()
    return (
        kind.startswith(("text/html", "application/xhtml")) or body.lstrip()[:1] == b"<"
    )
