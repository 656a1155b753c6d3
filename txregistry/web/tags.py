"""``/v2/<name>/tags/list`` and ``/v2/_catalog``: lists, page by page."""

from __future__ import annotations

import json
from collections.abc import Sequence

import attrs

from txregistry.interfaces.namespace import INamespace
from txregistry.spec.pagination import Page, next_link, parse_page
from txregistry.spec.reference import RepositoryName
from txregistry.web.provenance import collect_status
from txregistry.web.site import RegistryRequest

#: The most entries of one page; a larger ``n`` is clamped.
MAX_PAGE = 1000

#: Repositories per page where a client names no number.
DEFAULT_CATALOG_PAGE = 100


@attrs.frozen
class Lists:
    """The list resources.

    :ivar prefix: comes before ``/v2/`` in links.
    """

    _namespace: INamespace
    prefix: str

    async def tags(self, request: RegistryRequest, name: str) -> bytes:
        """Answer with a page of tags."""
        request.handler = "tags"
        parsed = RepositoryName.parse(name)
        page = _page(request)
        repository = await self._namespace.repository(parsed)
        with collect_status(request):
            found = await repository.tags.list(
                after=page.after, limit=_one_more(page.limit)
            )
        tags = [str(tag) for tag in found]
        tags = self._link(request, page, tags, f"/v2/{name}/tags/list")
        return _json(request, {"name": name, "tags": tags})

    async def catalog(self, request: RegistryRequest) -> bytes:
        """Answer with a page of repositories."""
        request.handler = "catalog"
        page = _page(request)
        if page.limit is None:
            page = attrs.evolve(page, limit=DEFAULT_CATALOG_PAGE)
        found = await self._namespace.repositories(
            after=page.after, limit=_one_more(page.limit)
        )
        names = [str(name) for name in found]
        names = self._link(request, page, names, "/v2/_catalog")
        return _json(request, {"repositories": names})

    def _link(
        self, request: RegistryRequest, page: Page, entries: list[str], path: str
    ) -> list[str]:
        """Cut a list to the page; say where it goes on if it does."""
        if page.limit is None or len(entries) <= page.limit:
            return entries
        entries = entries[: page.limit]
        if entries:
            link = next_link(self.prefix + path, page.limit, entries[-1])
            request.setHeader(b"Link", link)
        return entries


def _page(request: RegistryRequest) -> Page:
    return parse_page(_query(request, b"n"), _query(request, b"last"), MAX_PAGE)


def _query(request: RegistryRequest, name: bytes) -> str | None:
    values: Sequence[bytes] = (request.args or {}).get(name, ())
    return values[-1].decode("utf-8", "replace") if values else None


def _one_more(limit: int | None) -> int | None:
    # One entry beyond the page tells whether there is a next one.
    return None if limit is None else limit + 1


def _json(request: RegistryRequest, value: object) -> bytes:
    body = json.dumps(value).encode("utf-8")
    request.setHeader(b"Content-Type", b"application/json")
    request.setHeader(b"Content-Length", b"%d" % len(body))
    return body
