"""The URLs in answers, from the client's point of view."""

from __future__ import annotations

from urllib.parse import quote

import attrs

from txregistry.spec.digest import Digest
from txregistry.spec.forwarded import client_base
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.web.http.request import RegistryRequest


@attrs.frozen
class Urls:
    """Builds the URLs of one registry.

    :ivar host: scheme and host of all URLs (``http.host``); empty to derive them from
        the request.
    :ivar prefix: stands before ``/v2/``; has no trailing slash.
    :ivar relative: URLs have no scheme and host (``http.relativeurls``).
    """

    host: str = ""
    prefix: str = ""
    relative: bool = False

    def base(self, request: RegistryRequest) -> tuple[str, str]:
        """Return the scheme and host that the client used to reach the registry."""
        if request.base is None:
            request.base = self._base(request)
        return request.base

    def _base(self, request: RegistryRequest) -> tuple[str, str]:
        return client_base(
            request.forwarded("Forwarded"),
            request.forwarded("X-Forwarded-Proto"),
            request.forwarded("X-Forwarded-Host"),
            "https" if request.isSecure() else "http",
            request.header("Host"),
        )

    def root(self, request: RegistryRequest) -> str:
        """Return the part of all URLs before ``/v2/``."""
        if self.host:
            return self.host.rstrip("/") + self.prefix
        if self.relative:
            return self.prefix
        scheme, host = self.base(request)
        return f"{scheme}://{host}{self.prefix}" if host else self.prefix

    def blob(
        self, request: RegistryRequest, name: RepositoryName, digest: Digest
    ) -> str:
        """Return the URL of a blob."""
        return f"{self.root(request)}/v2/{name}/blobs/{digest}"

    def manifest(
        self, request: RegistryRequest, name: RepositoryName, reference: Digest | Tag
    ) -> str:
        """Return the URL of a manifest."""
        return f"{self.root(request)}/v2/{name}/manifests/{reference}"

    def upload(
        self, request: RegistryRequest, name: RepositoryName, upload_id: str, state: str
    ) -> str:
        """Return the URL to continue an upload.

        :param state: the sealed state of the upload.
        """
        root = f"{self.root(request)}/v2/{name}/blobs/uploads/{upload_id}"
        return f"{root}?_state={quote(state, safe='')}"
