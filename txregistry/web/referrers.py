"""``/v2/<name>/referrers/<digest>`` (OCI distribution-spec, "Listing Referrers")."""

from __future__ import annotations

from urllib.parse import quote

import attrs

from txregistry.interfaces.access import Grant
from txregistry.interfaces.namespace import INamespace
from txregistry.spec.digest import Digest
from txregistry.spec.manifest.listing import write_listing
from txregistry.spec.mediatypes import OCI_INDEX
from txregistry.spec.pagination import parse_page
from txregistry.spec.reference import RepositoryName
from txregistry.web.provenance import collect_status
from txregistry.web.request import RegistryRequest
from txregistry.web.urls import Urls

#: Entries of one page: with their annotations they stay well below 4 MiB.
MAX_PAGE = 1000


@attrs.frozen
class ReferrerLists:
    """The referrers resource."""

    _namespace: INamespace
    _urls: Urls

    async def list(
        self, request: RegistryRequest, grant: Grant, name: RepositoryName, digest: str
    ) -> bytes:
        """Answer GET with an image index; one that is empty where nothing refers."""
        request.handler = "referrers"
        subject = Digest.parse(digest)
        page = parse_page(request.query("n"), request.query("last"), MAX_PAGE)
        limit = page.limit or MAX_PAGE
        wanted = request.query("artifactType")
        repository = await self._namespace.repository(name=name)
        with collect_status(request):
            found = await repository.referrers.list(
                digest=subject,
                artifact_type=wanted or None,
                after=page.after,
                limit=limit + 1,
            )
        if wanted:
            request.setHeader(b"OCI-Filters-Applied", b"artifactType")
        if len(found) > limit:
            found = found[:limit]
            last = str(found[-1].descriptor.digest)
            request.setHeader(b"Link", self._next(name, subject, limit, last, wanted))
        body = write_listing(
            (item.descriptor, item.artifact_type, item.annotations) for item in found
        )
        request.setHeader(b"Content-Type", OCI_INDEX)
        request.setHeader(b"Content-Length", b"%d" % len(body))
        return body

    def _next(
        self,
        name: RepositoryName,
        subject: Digest,
        limit: int,
        last: str,
        wanted: str | None,
    ) -> str:
        kind = f"artifactType={quote(wanted, safe='')}&" if wanted else ""
        path = f"{self._urls.prefix}/v2/{name}/referrers/{subject}"
        return f'<{path}?{kind}last={quote(last, safe="")}&n={limit}>; rel="next"'
