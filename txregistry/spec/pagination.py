"""Pages of a list: ``n``, ``last`` and ``Link`` (OCI distribution-spec, "tags")."""

from __future__ import annotations

from urllib.parse import quote

import attrs

from txregistry.spec.errors import PaginationNumberInvalid


@attrs.frozen
class Page:
    """What part of a list is asked for.

    :ivar limit: at most this many entries; ``None`` sets no limit.
    :ivar after: entries that sort after this one, which need not exist.
    """

    limit: int | None = None
    after: str = ""


def parse_page(n: str | None, last: str | None, most: int | None) -> Page:
    """Read the query parameters.

    :param most: a larger ``n`` is clamped to this.
    :raise PaginationNumberInvalid: ``n`` is no whole number from 0 up.
    """
    if not n:
        return Page(None, last or "")
    if not n.isascii() or not n.isdigit() or len(n) > 18:
        raise PaginationNumberInvalid({"n": n[:40]})
    return Page(int(n) if most is None else min(int(n), most), last or "")


def next_link(path: str, limit: int, last: str) -> str:
    """Give the ``Link`` value that leads to the following page.

    :param path: of the list, with any prefix, without a query.
    """
    return f'<{path}?last={quote(last, safe="")}&n={limit}>; rel="next"'
