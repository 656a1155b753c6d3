"""``/v2/<name>/tags/list`` and ``/v2/_catalog``: paginated lists."""

from __future__ import annotations

import json

import attrs

from txregistry.interfaces.access import Grant
from txregistry.interfaces.namespace import INamespace
from txregistry.spec.errors import PaginationNumberInvalid
from txregistry.spec.pagination import Page, next_link, parse_page
from txregistry.spec.reference import RepositoryName
from txregistry.web.http.request import RegistryRequest
from txregistry.web.provenance import collect_status

#: Repositories per page when a client sends no ``n``.
DEFAULT_CATALOG_PAGE = 100


@attrs.frozen
class Lists:
    """The list resources.

    :ivar prefix: stands before ``/v2/`` in ``Link`` headers.
    :ivar max_tags: larger pages of tags are clamped to this.
    :ivar max_repositories: larger pages of the catalog are clamped to this.
    :ivar strict_catalog: larger pages of the catalog are refused instead, as by
        distribution 2.8.2 and later.
    """

    _namespace: INamespace
    prefix: str
    max_tags: int
    max_repositories: int
    strict_catalog: bool

    async def tags(
        self, request: RegistryRequest, grant: Grant, name: RepositoryName
    ) -> bytes:
        """Answer with a page of tags; without ``n``, of the maximum size."""
        request.handler = "tags"
        page = _page(request, self.max_tags)
        if page.limit is None:
            page = attrs.evolve(page, limit=self.max_tags)
        repository = await self._namespace.repository(name=name)
        with collect_status(request):
            found = await repository.tags.list(
                after=page.after, limit=_one_more(page.limit)
            )
        tags = [str(tag) for tag in found]
        tags = self._link(request, page, tags, f"/v2/{name}/tags/list")
        return _json(request, {"name": str(name), "tags": tags})

    async def catalog(self, request: RegistryRequest, grant: Grant) -> bytes:
        """Answer with a page of repositories."""
        request.handler = "catalog"
        page = self._catalog_page(request)
        found = await self._namespace.repositories(
            after=page.after, limit=_one_more(page.limit)
        )
        names = [str(name) for name in found]
        names = self._link(request, page, names, "/v2/_catalog")
        return _json(request, {"repositories": names})

    def _catalog_page(self, request: RegistryRequest) -> Page:
        maximum = self.max_repositories
        page = _page(request, None if self.strict_catalog else maximum)
        if page.limit is None:
            return attrs.evolve(page, limit=min(DEFAULT_CATALOG_PAGE, maximum))
        if page.limit > maximum:
            raise PaginationNumberInvalid({"n": page.limit, "limit": maximum})
        return page

    def _link(
        self, request: RegistryRequest, page: Page, entries: list[str], path: str
    ) -> list[str]:
        """Cut a list to the page; set ``Link`` if there is a next one."""
        if page.limit is None or len(entries) <= page.limit:
            return entries
        entries = entries[: page.limit]
        if entries:
            link = next_link(self.prefix + path, page.limit, entries[-1])
            request.setHeader(b"Link", link)
        return entries


def _page(request: RegistryRequest, maximum: int | None) -> Page:
    return parse_page(request.query("n"), request.query("last"), maximum)


def _one_more(limit: int | None) -> int | None:
    # One entry beyond the page shows that there is a next one.
    return None if limit is None else limit + 1


def _json(request: RegistryRequest, value: object) -> bytes:
    body = json.dumps(value).encode("utf-8")
    request.setHeader(b"Content-Type", b"application/json")
    request.setHeader(b"Content-Length", b"%d" % len(body))
    return body
