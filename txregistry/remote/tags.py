"""The tags of one repository of an upstream."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from urllib.parse import quote, urljoin

import attrs
from twisted.web.iweb import IResponse
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.interfaces.tags import ITagService, Tags
from txregistry.remote.body import announced_length, header
from txregistry.remote.client import UpstreamClient
from txregistry.remote.manifests import RemoteManifests, accepting
from txregistry.remote.origin import Origin
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import (
    DigestInvalid,
    ManifestUnknown,
    NameUnknown,
    TagInvalid,
    UpstreamFailed,
)
from txregistry.spec.mediatypes import MANIFEST_TYPES
from txregistry.spec.pagination import parse_next
from txregistry.spec.reference import RepositoryName, Tag

#: Entries asked for per page, and pages read at most: a million tags.
PAGE = 1000
MAX_PAGES = 1000

_MAX_PAGE_BYTES = 4 * 1024 * 1024


@implementer(ITagService)
@attrs.define(eq=False)
class RemoteTags:
    """Tags by HEAD, which no upstream counts as a pull."""

    _client: UpstreamClient
    _name: RepositoryName

    @deferred
    async def get(self, tag: Tag) -> Descriptor:
        """Fire with what a tag stands for.

        An upstream that does not tell the digest in answer to HEAD is asked for
        the manifest itself.
        """
        response = await self._client.ask(
            "HEAD",
            f"/v2/{self._name}/manifests/{tag}",
            headers=accepting(),
            not_found=lambda: ManifestUnknown({"tag": str(tag)}),
        )
        self._client.discard(response)
        found = _descriptor(response)
        if found is not None:
            return found
        manifest = await RemoteManifests(self._client, self._name).fetch(str(tag), None)
        return manifest.descriptor

    @deferred
    async def list(self, after: str = "", limit: int | None = None) -> Tags:
        """Fire with a page of the tags, gathered from the upstream's own pages."""
        found: set[Tag] = set()
        async for page in self._pages(after, limit):
            found.update(tag for tag in page if str(tag) > after)
            if limit is not None and len(found) >= limit:
                break
        return sorted(found)[:limit]

    async def _pages(self, after: str, limit: int | None) -> AsyncIterator[Tags]:
        size = PAGE if limit is None else max(1, min(PAGE, limit))
        path = f"/v2/{self._name}/tags/list?n={size}"
        if after:
            path += f"&last={quote(after, safe='')}"
        for _ in range(MAX_PAGES):
            response = await self._client.ask(
                "GET", path, not_found=lambda: NameUnknown({"name": str(self._name)})
            )
            link = parse_next(header(response, "Link"))
            body = await self._client.collect(response, _MAX_PAGE_BYTES)
            yield self._read(body)
            if link is None:
                return
            path = self._same_origin(urljoin(urljoin(self._client.url, path), link))

    def _same_origin(self, url: str) -> str:
        if Origin.of(url) != Origin.of(self._client.url):
            raise self._unusable("pages lead to another host")
        return url

    def _read(self, body: bytes) -> Tags:
        try:
            names = json.loads(body)["tags"] or []
            return [Tag.parse(name) for name in names if isinstance(name, str)]
        except (ValueError, KeyError, TypeError, TagInvalid) as error:
            raise self._unusable("sent no list of tags") from error

    def _unusable(self, reason: str) -> UpstreamFailed:
        return UpstreamFailed({"upstream": self._client.host, "reason": reason})


def _descriptor(response: IResponse) -> Descriptor | None:
    try:
        digest = Digest.parse(header(response, "Docker-Content-Digest") or "")
    except DigestInvalid:
        return None
    kind = (header(response, "Content-Type") or "").partition(";")[0].strip()
    size = announced_length(response)
    if kind not in MANIFEST_TYPES:
        size = None  # not enough to answer a HEAD from
    return Descriptor(digest, size, kind)
