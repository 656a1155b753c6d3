"""Request headers and query parameters as text."""

from __future__ import annotations

from twisted.web.http import parse_qs

from txregistry.web.http.twisted_private import OpenRequest

#: A query of more parameters than this is refused.
MAX_PARAMETERS = 1000


class TextRequest(OpenRequest):
    """A request whose headers and query parameters are available as text.

    :ivar has_too_many_parameters: the query exceeds :data:`MAX_PARAMETERS`; none of its
        parameters is available.
    """

    has_too_many_parameters = False

    def take_query(self, query: bytes) -> None:
        """Parse the query of a URI."""
        parsed = _parse(query)
        self.has_too_many_parameters, self.args = parsed is None, parsed or {}

    def header(self, name: str) -> str:
        """Return the last line of a request header as Latin-1; empty if absent."""
        lines = self.headers_named(name)
        return lines[-1] if lines else ""

    def headers_named(self, name: str) -> list[str]:
        """Return all lines of a request header, decoded as Latin-1."""
        raw = self.requestHeaders.getRawHeaders(name.encode("ascii"), [])
        return [value.decode("latin-1") for value in raw]

    def list_header(self, name: str) -> str:
        """Return the lines of a list header, joined by commas (RFC 9110, 5.3)."""
        return ", ".join(self.headers_named(name))

    def query(self, name: str) -> str | None:
        """Return the last value of a query parameter; ``None`` if absent."""
        values = self.queries(name)
        return values[-1] if values else None

    def queries(self, name: str) -> list[str]:
        """Return all values of a query parameter."""
        given = (self.args or {}).get(name.encode("ascii"), [])
        return [value.decode("utf-8", "replace") for value in given]


def _parse(query: bytes) -> dict[bytes, list[bytes]] | None:
    if not query:
        return {}
    if query.count(b"&") + query.count(b";") > MAX_PARAMETERS:
        return None
    found: dict[bytes, list[bytes]] = parse_qs(query, True)
    return found
