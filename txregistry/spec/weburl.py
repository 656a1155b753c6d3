"""URLs of other services, as people write them into a configuration."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote, urlsplit, urlunsplit

import attrs

#: Characters that no host has, of those that :func:`urlsplit` lets pass.
_NO_HOST = re.compile(r"[\s\"%<>\\^`{|}]")

#: What no URL has anywhere; :func:`urlsplit` quietly drops some of it.
_NO_URL = re.compile(r"[\x00-\x20\x7f-\xa0]")


#: Stands for what nobody is to read.
MASK = "********"

#: A name and a password in a URL; the last @ before its path ends them.
_USERINFO = re.compile(r"(://)[^/?#]*@")

#: What follows the path of a URL.
_QUERY = re.compile(r"\?.*|#.*", re.DOTALL)


def masked_userinfo(text: str) -> str:
    """Give a text without the names and passwords of the URLs in it."""
    return _USERINFO.sub(rf"\1{MASK}@", text)


def masked_url(url: str) -> str:
    """Give a URL as it may be shown: who we say that we are, and its query, are masked.

    Many services take a token in the query.
    """
    return _QUERY.sub(lambda found: found[0][0] + MASK, masked_userinfo(url))


@attrs.frozen
class Target:
    """Where to send a request, and who to say that we are.

    :ivar url: without a name and a password.
    :ivar authorization: the header's value, as the URL wants it; empty for none.
    """

    url: str = attrs.field(repr=masked_url)
    authorization: str = attrs.field(default="", repr=False)

    @classmethod
    def of(cls, url: str) -> Target:
        """Take apart a URL for which :func:`is_http_url` holds."""
        parts = urlsplit(url)
        userinfo, has_user, host = parts.netloc.rpartition("@")
        bare = urlunsplit(parts._replace(netloc=host.removesuffix(":"), fragment=""))
        return cls(bare, _basic(userinfo) if has_user else "")

    @property
    def shown(self) -> str:
        """Give what logs and the debug listener may say of it."""
        return masked_url(self.url)

    def headers(
        self, given: Mapping[str, Sequence[str]]
    ) -> Mapping[str, Sequence[str]]:
        """Add the authorization to headers that do not have one."""
        if not self.authorization or "authorization" in map(str.lower, given):
            return given
        return {**given, "Authorization": [self.authorization]}


def _basic(userinfo: str) -> str:
    user, _, password = userinfo.partition(":")
    return basic_authorization(unquote(user), unquote(password))


def basic_authorization(user: str, password: str) -> str:
    """Give the ``Authorization`` value of the Basic scheme (RFC 7617)."""
    pair = f"{user}:{password}".encode()
    return "Basic " + base64.b64encode(pair).decode("ascii")


def is_http_url(url: str) -> bool:
    """Tell if a text is an absolute http or https URL of a host."""
    if _NO_URL.search(url):
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or port == 0:
        return False
    return bool(parts.hostname) and not _NO_HOST.search(parts.hostname or "")
