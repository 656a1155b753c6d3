"""URLs of other services in a configuration, and how they are shown."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote, urlsplit, urlunsplit

import attrs

#: Characters that are invalid in a host, but accepted by :func:`urlsplit`.
_INVALID_IN_HOST = re.compile(r"[\s\"%<>\\^`{|}]")

#: Characters that are invalid in a URL; :func:`urlsplit` silently drops some of them.
_INVALID_IN_URL = re.compile(r"[\x00-\x20\x7f-\xa0]")

#: Replaces secrets.
MASK = "********"

#: A name and a password in a URL; the last @ before its path ends them.
_USERINFO = re.compile(r"(://)[^/?#]*@")

#: The query and the fragment of a URL.
_QUERY = re.compile(r"\?.*|#.*", re.DOTALL)


def masked_userinfo(text: str) -> str:
    """Return a text with the user names and passwords of all URLs in it masked."""
    return _USERINFO.sub(rf"\1{MASK}@", text)


def masked_url(url: str) -> str:
    """Return a URL with its user name, password, query and fragment masked.

    Many services take a token in the query.
    """
    return _QUERY.sub(lambda found: found[0][0] + MASK, masked_userinfo(url))


@attrs.frozen
class Target:
    """A URL to send requests to, and its credentials.

    :ivar url: without a user name and password, and without a fragment.
    :ivar authorization: the ``Authorization`` value made from them; empty for none.
    """

    url: str = attrs.field(repr=masked_url)
    authorization: str = attrs.field(default="", repr=False)

    @classmethod
    def of(cls, url: str) -> Target:
        """Split a URL for which :func:`is_http_url` is true."""
        parts = urlsplit(url)
        userinfo, has_user, host = parts.netloc.rpartition("@")
        bare = urlunsplit(parts._replace(netloc=host.removesuffix(":"), fragment=""))
        return cls(bare, _basic(userinfo) if has_user else "")

    @property
    def masked(self) -> str:
        """The URL as it may appear in logs and on the debug listener."""
        return masked_url(self.url)

    def headers(
        self, given: Mapping[str, Sequence[str]]
    ) -> Mapping[str, Sequence[str]]:
        """Return headers with the authorization added, unless they have one."""
        if not self.authorization or "authorization" in map(str.lower, given):
            return given
        return {**given, "Authorization": [self.authorization]}


def _basic(userinfo: str) -> str:
    user, _, password = userinfo.partition(":")
    return basic_authorization(unquote(user), unquote(password))


def basic_authorization(user: str, password: str) -> str:
    """Return the ``Authorization`` value of the Basic scheme (RFC 7617)."""
    pair = f"{user}:{password}".encode()
    return "Basic " + base64.b64encode(pair).decode("ascii")


def is_http_url(url: str) -> bool:
    """Return whether a text is an absolute http or https URL with a host."""
    if _INVALID_IN_URL.search(url):
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or port == 0:
        return False
    return bool(parts.hostname) and not _INVALID_IN_HOST.search(parts.hostname or "")
