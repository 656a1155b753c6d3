"""The tags of one repository of an upstream."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from twisted.web.iweb import IResponse
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.turns import Turns
from txregistry.interfaces.tags import IRemoteTags, Tags
from txregistry.remote.body import announced_length, header
from txregistry.remote.client import UpstreamClient
from txregistry.remote.manifests import RemoteManifests
from txregistry.remote.pages import pages, too_long
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import (
    DigestInvalid,
    NameUnknown,
    TagInvalid,
    UpstreamFailed,
)
from txregistry.spec.manifest.model import Manifest
from txregistry.spec.mediatypes import MANIFEST_TYPES
from txregistry.spec.nesting import read_json
from txregistry.spec.reference import RepositoryName, Tag

#: Tags requested per page.
PAGE = 1000

#: Most bytes of one page, and of all pages of a list.
MAX_PAGE_BYTES = 4 * 1024 * 1024
MAX_LIST_BYTES = 16 * 1024 * 1024

#: Most tags of a list; their objects take ten times the bytes of the list.
MAX_TAGS = 250_000


@implementer(IRemoteTags)
@attrs.define(eq=False)
class RemoteTags:
    """Tags, by HEAD if possible, which upstreams do not count as a pull."""

    _client: UpstreamClient
    _name: RepositoryName

    @deferred
    async def get(self, tag: Tag) -> Descriptor:
        """Fire with the descriptor of a tag's manifest; fails as :meth:`resolve`."""
        found = await self.resolve(tag=tag)
        return found.descriptor if isinstance(found, Manifest) else found

    @deferred
    async def resolve(self, tag: Tag) -> Descriptor | Manifest:
        """Resolve a tag by HEAD, or by GET if HEAD is refused or has no digest.

        :return: fires with the descriptor from HEAD, which is unverified, or with the
            manifest from GET. Fails as :meth:`RemoteManifests.fetch`.
        """
        response = await self._manifests.head(str(tag))
        found = None
        if response is not None:
            self._client.discard(response)
            found = _descriptor(response)
        return await self.fetch(tag=tag) if found is None else found

    def forget_missing(self, tag: Tag) -> None:
        """Ask for a tag next time; see :class:`IRemoteTags`."""
        self._manifests.forget_missing(str(tag))

    def fetch(self, tag: Tag) -> Deferred[Manifest]:
        """Fire with a tag's manifest, by GET; see :meth:`RemoteManifests.fetch`."""
        return self._manifests.fetch(str(tag), None)

    @deferred
    async def list(self, after: str = "", limit: int | None = None) -> Tags:
        """Fire with a page of the tags, sorted.

        The whole list is requested for each page, as upstreams have different orders.

        :return: fails with ``NameUnknown``, with ``UpstreamFailed`` if the list is
            malformed or too long, or as :meth:`UpstreamClient.request`.
        """
        # Strings compare a hundred times faster than tags.
        found: dict[str, Tag] = {}
        path = f"/v2/{self._name}/tags/list?n={PAGE}"
        async for _, body in pages(
            self._client,
            path,
            MAX_PAGE_BYTES,
            MAX_LIST_BYTES,
            lambda: NameUnknown({"name": str(self._name)}),
        ):
            found |= await self._client.parse_long(self._read, body)
            if len(found) > MAX_TAGS:
                raise too_long(self._client)
        return [found[text] for text in sorted(found) if text > after][:limit]

    async def _read(self, body: bytes, turns: Turns) -> dict[str, Tag]:
        try:
            document = read_json(body)
        except ValueError as error:
            raise self._bad_response() from error
        if not isinstance(document, dict):
            raise self._bad_response()
        names, found = document.get("tags"), dict[str, Tag]()
        for name in names if isinstance(names, list) else ():
            await turns.take()
            if (tag := _tag(name)) is not None:
                found[str(tag)] = tag
        return found

    def _bad_response(self) -> UpstreamFailed:
        detail = {"upstream": self._client.host, "reason": "sent no list of tags"}
        return UpstreamFailed(detail)

    @property
    def _manifests(self) -> RemoteManifests:
        return RemoteManifests(self._client, self._name)


def _tag(name: object) -> Tag | None:
    """Parse a tag; return ``None`` for an invalid one, which is skipped."""
    try:
        return Tag.parse(name) if isinstance(name, str) else None
    except TagInvalid:
        return None


def _descriptor(response: IResponse) -> Descriptor | None:
    """Return the descriptor from the headers of a HEAD, or ``None`` without digest."""
    try:
        digest = Digest.parse(header(response, "Docker-Content-Digest") or "")
    except DigestInvalid:
        return None
    kind = (header(response, "Content-Type") or "").partition(";")[0].strip().lower()
    # A manifest is never empty. With an unknown type, a HEAD of a client cannot be
    # answered from this one, so the size is left out.
    size = announced_length(response) or None
    return Descriptor(digest, size if kind in MANIFEST_TYPES else None, kind)
