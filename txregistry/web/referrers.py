"""``/v2/<name>/referrers/<digest>`` (OCI distribution-spec, "Listing Referrers")."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from urllib.parse import quote

import attrs
from twisted.internet.defer import Deferred

from txregistry.interfaces.access import Grant
from txregistry.interfaces.namespace import INamespace
from txregistry.interfaces.referrers import Referrer, Referrers
from txregistry.spec.digest import Digest
from txregistry.spec.manifest.listing import write_listing
from txregistry.spec.mediatypes import OCI_INDEX
from txregistry.spec.pagination import parse_page
from txregistry.spec.reference import RepositoryName
from txregistry.web.http.request import RegistryRequest
from txregistry.web.provenance import collect_status
from txregistry.web.urls import Urls

#: Entries of one page at most.
MAX_PAGE = 1000

#: Bytes of one page, about: every client can read a manifest of this size
#: (distribution-spec, "Pushing Manifests"), so it can read a list of it.
MAX_PAGE_BYTES = 4 * 1024 * 1024


@attrs.frozen
class ReferrerLists:
    """The referrers resource."""

    _namespace: INamespace
    _urls: Urls

    async def list(
        self, request: RegistryRequest, grant: Grant, name: RepositoryName, digest: str
    ) -> bytes:
        """Answer GET with an image index, which is empty if there are no referrers."""
        request.handler = "referrers"
        subject = Digest.parse(digest)
        page = parse_page(request.query("n"), request.query("last"), MAX_PAGE)
        limit = page.limit or MAX_PAGE
        wanted = request.query("artifactType")
        repository = await self._namespace.repository(name=name)
        ask = partial(
            repository.referrers.list, digest=subject, artifact_type=wanted or None
        )
        with collect_status(request):
            page_size = repository.referrers.page_size or limit + 1
            found, is_cut = await _page(ask, page.after, limit, page_size)
        if wanted:
            request.setHeader(b"OCI-Filters-Applied", b"artifactType")
        if is_cut:
            last = str(found[-1].descriptor.digest)
            request.setHeader(b"Link", self._next(name, subject, limit, last, wanted))
        return _index(request, found)

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


def _index(request: RegistryRequest, found: Referrers) -> bytes:
    body = write_listing(
        (item.descriptor, item.artifact_type, item.annotations) for item in found
    )
    request.setHeader(b"Content-Type", OCI_INDEX)
    request.setHeader(b"Content-Length", b"%d" % len(body))
    return body


async def _page(
    ask: Callable[..., Deferred[Referrers]], after: str, limit: int, page_size: int
) -> tuple[Referrers, bool]:
    """Return one page of referrers, and whether there are more.

    :param page_size: entries asked for at once; each may be long.
    """
    found: Referrers = []
    length = 0
    while True:
        batch = await ask(after=after, limit=page_size)
        for item in batch:
            length += _length(item)
            if found and (len(found) == limit or length > MAX_PAGE_BYTES):
                return found, True
            found.append(item)
        if len(batch) < page_size:
            return found, False
        after = str(found[-1].descriptor.digest)


def _length(item: Referrer) -> int:
    """Estimate the bytes of one entry in the JSON of a listing."""
    notes = sum(len(key) + len(value) for key, value in item.annotations.items())
    return notes + 300
