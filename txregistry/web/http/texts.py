"""What a client says in a head, as text."""

from __future__ import annotations

from twisted.web.http import parse_qs

from txregistry.web.http.twisted_private import OpenRequest

#: A query of more parameters than this is refused.
MAX_PARAMETERS = 1000


class TextRequest(OpenRequest):
    """A request whose headers and query can be asked for as text.

    :ivar has_too_many_parameters: the query has more parameters than are looked at.
    """

    has_too_many_parameters = False
    _texts: dict[str, str] | None = None

    def take_query(self, query: bytes) -> None:
        """Read the parameters of a query."""
        parsed = _parse(query)
        self.has_too_many_parameters, self.args = parsed is None, parsed or {}

    def header(self, name: str) -> str:
        """Give a request header as text, the last line of it; empty if absent."""
        if self._texts is None:
            # Each request is asked for nine of them, and has three.
            self._texts = {
                given.decode("latin-1").lower(): values[-1].decode("latin-1")
                for given, values in self.requestHeaders.getAllRawHeaders()
            }
        return self._texts.get(name.lower(), "")

    def headers_named(self, name: str) -> list[str]:
        """Give all lines of a request header as text; any bytes are some text."""
        raw = self.requestHeaders.getRawHeaders(name.encode("ascii"), [])
        return [value.decode("latin-1") for value in raw]

    def list_header(self, name: str) -> str:
        """Give a request header that is a list: its lines are one (RFC 9110, 5.3)."""
        return ", ".join(self.headers_named(name))

    def query(self, name: str) -> str | None:
        """Give the last value of a query parameter, if there is any."""
        values = self.queries(name)
        return values[-1] if values else None

    def queries(self, name: str) -> list[str]:
        """Give all values of a query parameter."""
        given = (self.args or {}).get(name.encode("ascii"), [])
        return [value.decode("utf-8", "replace") for value in given]


def _parse(query: bytes) -> dict[bytes, list[bytes]] | None:
    if not query:
        return {}
    if query.count(b"&") + query.count(b";") > MAX_PARAMETERS:
        return None
    found: dict[bytes, list[bytes]] = parse_qs(query, True)
    return found
