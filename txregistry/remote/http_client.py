"""treq without cookies, and with IPv6 addresses as hosts."""

from __future__ import annotations

from typing import Any

from hyperlink import EncodedURL
from treq.client import HTTPClient
from treq.cookies import IndexableCookieJar
from twisted.web.iweb import IAgent


class NoCookies(IndexableCookieJar):
    """A cookie jar that stores nothing.

    A registry needs no cookies. They would grow without limit, and some upstreams
    refuse requests with both a cookie and a token.
    """

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Ignore the cookies of a response."""

    def add_cookie_header(self, request: Any) -> None:
        """Add no header."""


def http_client(agent: IAgent) -> HTTPClient:
    """Return a treq client around an agent, without cookies."""
    return HTTPClient(agent, cookiejar=NoCookies())


class _EncodedUrl(EncodedURL):
    """A URL that is sent as it is."""

    def to_uri(self) -> _EncodedUrl:
        """Return itself, as hyperlink fails to encode an IPv6 address as a name."""
        return self


def encoded_url(text: str) -> EncodedURL:
    """Return a URL for treq.

    :param text: is ASCII already.
    :raise ValueError: it is malformed.
    """
    return _EncodedUrl.from_text(text)
