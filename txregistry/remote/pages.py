"""Read the pages of a list from an upstream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection

from twisted.web.iweb import IResponse

from txregistry.remote.addresses import follow_link
from txregistry.remote.body import header_lines
from txregistry.remote.client import UpstreamClient
from txregistry.spec.errors import RegistryError, UpstreamFailed
from txregistry.spec.links import parse_next

#: Most pages of one list.
MAX_PAGES = 1000


async def pages(
    client: UpstreamClient,
    path: str,
    page_bytes: int,
    list_bytes: int,
    not_found: Callable[[], RegistryError],
    missing: Collection[int] = (404, 410),
) -> AsyncIterator[tuple[IResponse, bytes]]:
    """Yield the response and the body of each page, following ``Link`` (RFC 8288).

    The list ends without a link, or with a link to an earlier page.

    :param path: of the first page, as ``/v2/…``.
    :param page_bytes: most bytes of one page.
    :param list_bytes: most bytes of all pages together.
    :param not_found: makes the error for a status of ``missing``.
    :raise UpstreamFailed: the list is too long; a truncated one would be misleading.
        Raises also what :meth:`UpstreamClient.request` fails with.
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
    """Return the error for a list that exceeds a limit."""
    return UpstreamFailed(
        {"upstream": client.host, "reason": "sent a list that is too long"}
    )
