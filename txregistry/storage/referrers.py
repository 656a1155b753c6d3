"""Who refers to the manifests of one local repository.

From the index; and, for images whose referrers were pushed before there was an API,
from the index manifest under the tag ``<alg>-<hex>`` (OCI distribution-spec,
"Referrers Tag Schema").
"""

from __future__ import annotations

import attrs
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.interfaces.manifests import IManifestService
from txregistry.interfaces.referrers import IReferrerService, Referrer, Referrers
from txregistry.interfaces.tags import ITagService
from txregistry.spec import mediatypes
from txregistry.spec.digest import Digest
from txregistry.spec.errors import ManifestUnknown
from txregistry.spec.manifest.listing import good_entries_of
from txregistry.spec.reference import RepositoryName, schema_tag
from txregistry.storage.names import Names


@implementer(IReferrerService)
@attrs.define(eq=False)
class IndexedReferrers:
    """Referrers from the index and from the tag schema."""

    _name: RepositoryName
    _names: Names
    _tags: ITagService
    _manifests: IManifestService
    at_once: int | None = 16

    @deferred
    async def list(
        self,
        digest: Digest,
        artifact_type: str | None = None,
        after: str = "",
        limit: int | None = None,
    ) -> Referrers:
        """Fire with a page of referrers, sorted by digest, each once."""
        known = await self._names.referrers(
            self._name, digest, artifact_type, after, limit
        )
        older = [
            referrer
            for referrer in await self._by_tag(digest)
            if str(referrer.descriptor.digest) > after
            and artifact_type in (None, referrer.artifact_type)
        ]
        merged = {_key(referrer): referrer for referrer in [*older, *known]}
        return [merged[key] for key in sorted(merged)][:limit]

    @deferred
    async def _by_tag(self, subject: Digest) -> Referrers:
        try:
            tagged = await self._tags.get(tag=schema_tag(subject))
            manifest = await self._manifests.get(digest=tagged.digest)
        except ManifestUnknown:
            return []
        if manifest.media_type != mediatypes.OCI_INDEX:
            return []
        return [
            Referrer(descriptor, artifact_type, annotations)
            for descriptor, artifact_type, annotations in good_entries_of(
                manifest.content
            )
            if await self._manifests.exists(digest=descriptor.digest)
        ]


def _key(referrer: Referrer) -> str:
    return str(referrer.descriptor.digest)
