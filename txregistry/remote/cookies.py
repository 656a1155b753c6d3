"""No cookies, in or out."""

from __future__ import annotations

from typing import Any

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
