"""Lists that an upstream gives page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection

from twisted.web.iweb import IResponse

from txregistry.remote.addresses import follow_link
from txregistry.remote.body import header_lines
from txregistry.remote.client import UpstreamClient
from txregistry.spec.errors import RegistryError, UpstreamFailed
from txregistry.spec.links import parse_next

#: Pages of a list that are read at most.
MAX_PAGES = 1000


async def pages(
    client: UpstreamClient,
    path: str,
    page_bytes: int,
    list_bytes: int,
    not_found: Callable[[], RegistryError],
    missing: Collection[int] = (404, 410),
) -> AsyncIterator[tuple[IResponse, bytes]]:
    """Give the head and the body of each page, following ``Link`` (RFC 8288).

    A page that was seen before ends the list.

    :param path: of the first page, as ``/v2/…``.
    :param page_bytes: the most that one page may have.
    :param list_bytes: the most that all pages may have together; a list that goes on
        is an error, for who takes a part for the whole is misled.
    :param not_found: what a status of ``missing`` stands for.
    """
    seen: set[str] = set()
    while path not in seen:
        if len(seen) == MAX_PAGES:
            raise too_long(client)
        seen.add(path)
        response = await client.request(
            "GET", path, not_found=not_found, missing=missing
        )
        link = parse_next(header_lines(response, "Link"))
        body = await client.collect(response, page_bytes)
        list_bytes -= len(body) + len(link or "")
        if list_bytes < 0:
            raise too_long(client)
        yield response, body
        if link is None:
            return
        path = follow_link(client.url, path, link)


def too_long(client: UpstreamClient) -> UpstreamFailed:
    """Say that a list has more than is read."""
    return UpstreamFailed({"upstream": client.host, "reason": "sent too long a list"})
