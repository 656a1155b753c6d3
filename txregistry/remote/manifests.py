"""The manifests of one repository of an upstream."""

from __future__ import annotations

import attrs
from twisted.web.http_headers import Headers
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.interfaces.manifests import IManifestService
from txregistry.remote.body import header
from txregistry.remote.client import UpstreamClient
from txregistry.spec.digest import Digest
from txregistry.spec.errors import ManifestInvalid, ManifestUnknown, UpstreamFailed
from txregistry.spec.manifest.model import MAX_MANIFEST_BYTES, Manifest
from txregistry.spec.manifest.parse import parse
from txregistry.spec.mediatypes import MANIFEST_TYPES
from txregistry.spec.reference import RepositoryName

#: One line: some upstreams read only one.
ACCEPT = ", ".join(MANIFEST_TYPES)


def accepting() -> Headers:
    """Give the headers with which manifests are asked for."""
    return Headers({"Accept": [ACCEPT]})


@implementer(IManifestService)
@attrs.define(eq=False)
class RemoteManifests:
    """Manifests by GET and HEAD."""

    _client: UpstreamClient
    _name: RepositoryName

    @deferred
    async def exists(self, digest: Digest) -> bool:
        """Fire with whether the upstream has a manifest, by HEAD."""
        try:
            response = await self._client.ask(
                "HEAD",
                self._path(str(digest)),
                headers=accepting(),
                not_found=lambda: ManifestUnknown(str(digest)),
            )
        except ManifestUnknown:
            return False
        self._client.discard(response)
        return True

    @deferred
    async def get(self, digest: Digest) -> Manifest:
        """Fire with a manifest; fail with ``UpstreamFailed`` if it is another one."""
        return await self.fetch(str(digest), digest)

    @deferred
    async def fetch(self, reference: str, expected: Digest | None) -> Manifest:
        """Fire with what a reference stands for, by GET, verified."""
        response = await self._client.ask(
            "GET",
            self._path(reference),
            headers=accepting(),
            not_found=lambda: ManifestUnknown(reference),
        )
        kind = header(response, "Content-Type")
        content = await self._client.collect(response, MAX_MANIFEST_BYTES)
        return self._read(content, kind, expected)

    def _read(
        self, content: bytes, kind: str | None, expected: Digest | None
    ) -> Manifest:
        algorithm = "sha256" if expected is None else expected.algorithm
        try:
            manifest = parse(content, kind, algorithm)
        except ManifestInvalid as error:
            raise self._unusable("sent no manifest") from error
        if expected is not None and manifest.digest != expected:
            raise self._unusable("sent content that does not match its digest")
        return manifest

    def _unusable(self, reason: str) -> UpstreamFailed:
        return UpstreamFailed({"upstream": self._client.host, "reason": reason})

    def _path(self, reference: str) -> str:
        return f"/v2/{self._name}/manifests/{reference}"
