"""Pagination: ``n``, ``last`` and ``Link`` (OCI distribution-spec, "Listing Tags")."""

from __future__ import annotations

from urllib.parse import quote

import attrs

from txregistry.spec.errors import PaginationNumberInvalid


@attrs.frozen
class Page:
    """The requested part of a list.

    :ivar limit: maximum number of entries; ``None`` for no limit.
    :ivar after: only entries that sort after this text, which need not be an entry.
    """

    limit: int | None = None
    after: str = ""


def parse_page(n: str | None, last: str | None, max_limit: int | None) -> Page:
    """Parse the query parameters.

    :param max_limit: upper limit to which ``n`` is reduced; ``None`` for no limit.
    :raise PaginationNumberInvalid: ``n`` is no integer from 0 up, at most 18 digits.
    """
    if not n:
        return Page(None, last or "")
    if not n.isascii() or not n.isdigit() or len(n) > 18:
        raise PaginationNumberInvalid({"n": n[:40]})
    return Page(int(n) if max_limit is None else min(int(n), max_limit), last or "")


def next_link(path: str, limit: int, last: str) -> str:
    """Return the ``Link`` value of the next page.

    :param path: the list's URL or path, without a query.
    """
    return f'<{path}?last={quote(last, safe="")}&n={limit}>; rel="next"'
