"""How treq is used here: without cookies, and with addresses in the place of names."""

from __future__ import annotations

from typing import Any

from hyperlink import EncodedURL
from treq.client import HTTPClient
from treq.cookies import IndexableCookieJar
from twisted.web.iweb import IAgent


class NoCookies(IndexableCookieJar):
    """A jar that takes nothing in and gives nothing out.

    A registry needs none. Kept, they grow without bound, and some upstreams refuse
    whoever shows one beside a token.
    """

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Leave what a server wants to be remembered."""

    def add_cookie_header(self, request: Any) -> None:
        """Show nothing."""


def http_client(agent: IAgent) -> HTTPClient:
    """Give treq's client around an agent, without its memory for cookies."""
    return HTTPClient(agent, cookiejar=NoCookies())


class _EncodedUrl(EncodedURL):
    """A URL that is written as it is sent."""

    def to_uri(self) -> _EncodedUrl:
        """Give itself: hyperlink takes an address of IPv6 for a name, and fails."""
        return self


def encoded_url(text: str) -> EncodedURL:
    """Give treq a URL that is ASCII already.

    :raise ValueError: it is no URL.
    """
    return _EncodedUrl.from_text(text)
