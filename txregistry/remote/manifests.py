"""The manifests of one repository of an upstream."""

from __future__ import annotations

import attrs
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.interfaces.manifests import IManifestService
from txregistry.remote.body import header
from txregistry.remote.client import UpstreamClient
from txregistry.remote.failures import StorageRefused
from txregistry.spec.digest import Digest
from txregistry.spec.errors import ManifestInvalid, ManifestUnknown, UpstreamFailed
from txregistry.spec.manifest import lenient
from txregistry.spec.manifest.model import MAX_MANIFEST_BYTES, Manifest
from txregistry.spec.mediatypes import MANIFEST_TYPES
from txregistry.spec.reference import RepositoryName

#: One header line, as some upstreams read only one. Unknown types are accepted too.
ACCEPT = ", ".join((*MANIFEST_TYPES, "*/*"))

#: Statuses of HEAD that may be about HEAD alone, so GET decides: public ECR requires a
#: token without a challenge, a URL may be signed for GET, and gateways may not support
#: HEAD.
HEAD_ONLY = frozenset((400, 401, 403, 404, 405, 410, 500, 501))

#: Those that mean that HEAD is not supported, if GET succeeds.
_METHOD_UNSUPPORTED = frozenset((405, 500, 501))


def accept_headers() -> Headers:
    """Return the headers of a request for a manifest."""
    return Headers({"Accept": [ACCEPT]})


@implementer(IManifestService)
@attrs.define(eq=False)
class RemoteManifests:
    """Manifests by GET and HEAD."""

    _client: UpstreamClient
    _name: RepositoryName

    @deferred
    async def exists(self, digest: Digest) -> bool:
        """Fire with whether the upstream has a manifest; by GET if HEAD is refused.

        :return: fails as :meth:`UpstreamClient.request`.
        """
        try:
            response = await self.head(str(digest)) or await self._get(str(digest))
        except ManifestUnknown:
            return False
        self._client.discard(response)
        return True

    @deferred
    async def head(self, reference: str) -> IResponse | None:
        """Send HEAD, unless the repository is known not to support it.

        :return: fires with a response of status 200, which the caller discards, or
            ``None`` if GET has to be used. Fails as :meth:`UpstreamClient.request`.
        """
        head_support = self._client.head_support
        if not head_support.supports_head(self._name):
            return None
        try:
            response = await self._client.request(
                "HEAD",
                self._path(reference),
                headers=accept_headers(),
                ok=(200, *HEAD_ONLY),
                not_found=lambda: ManifestUnknown({"reference": reference}),
            )
        except StorageRefused:
            return None
        if response.code == 200:
            head_support.head_answered(self._name)
            return response
        self._client.discard(response)
        if response.code in _METHOD_UNSUPPORTED:
            head_support.head_refused(self._name)
        return None

    @deferred
    async def get(self, digest: Digest) -> Manifest:
        """Fire with a verified manifest; fails as :meth:`fetch`."""
        return await self.fetch(str(digest), digest)

    @deferred
    async def fetch(self, reference: str, expected: Digest | None) -> Manifest:
        """Fire with the manifest of a tag or digest, by GET.

        :param expected: its digest, which is verified, if known.
        :return: fails with ``ManifestUnknown``, with ``UpstreamFailed`` if the content
            is no manifest or does not match, or as :meth:`UpstreamClient.request`.
        """
        response = await self._get(reference)
        kind = header(response, "Content-Type")
        content = await self._client.collect(response, MAX_MANIFEST_BYTES)
        return self._read(content, kind, expected)

    @deferred
    async def _get(self, reference: str) -> IResponse:
        response = await self._client.request(
            "GET",
            self._path(reference),
            headers=accept_headers(),
            not_found=lambda: ManifestUnknown({"reference": reference}),
        )
        self._client.head_support.get_answered(self._name)
        return response

    def forget_missing(self, reference: str) -> None:
        """Ask for a manifest next time, also if it was missing a short time ago."""
        self._client.forget_missing(self._path(reference))

    def _read(
        self, content: bytes, kind: str | None, expected: Digest | None
    ) -> Manifest:
        algorithm = "sha256" if expected is None else expected.algorithm
        try:
            manifest = lenient.read(content, kind, algorithm)
        except ManifestInvalid as error:
            raise self._bad_response("sent no manifest") from error
        if expected is not None and manifest.digest != expected:
            if Digest.of(content, algorithm) == expected:
                return attrs.evolve(manifest, digest=expected)
            raise self._bad_response("sent content that does not match its digest")
        return manifest

    def _bad_response(self, reason: str) -> UpstreamFailed:
        return UpstreamFailed({"upstream": self._client.host, "reason": reason})

    def _path(self, reference: str) -> str:
        return f"/v2/{self._name}/manifests/{reference}"
