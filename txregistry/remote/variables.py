"""The variables of the environment that name egress proxies."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

import attrs

from txregistry.remote.bypass import Bypass
from txregistry.spec.weburl import basic_authorization


@attrs.frozen
class ProxyAddress:
    """The address of an egress proxy.

    :ivar authorization: the ``Proxy-Authorization`` for it, if any.
    """

    host: str
    port: int
    authorization: str | None = attrs.field(default=None, repr=False)

    @classmethod
    def parse(cls, text: str) -> ProxyAddress:
        """Parse an address such as ``http://user:password@proxy:3128``.

        :raise ValueError: it is malformed, or of another scheme than http.
        """
        parts = urlsplit(text if "://" in text else f"http://{text}")
        if parts.scheme not in ("http", ""):
            raise ValueError(
                f"proxies of scheme {parts.scheme[:20]} are not supported, only http"
            )
        if not parts.hostname or parts.port == 0:
            raise ValueError("expected the URL of an http proxy")
        authorization = None
        if parts.username:
            user, password = unquote(parts.username), unquote(parts.password or "")
            authorization = basic_authorization(user, password)
        return cls(parts.hostname, parts.port or 80, authorization)


def egress_proxies(environment: Mapping[str, str]) -> dict[str, ProxyAddress]:
    """Return the proxy of each scheme (pure).

    :raise ValueError: an address is invalid; the message names the variable.
    """
    found = {}
    for scheme in ("http", "https"):
        name, text = _variable(environment, f"{scheme}_proxy")
        if text:
            try:
                found[scheme] = ProxyAddress.parse(text)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
    return found


def proxy_bypass(environment: Mapping[str, str]) -> Bypass:
    """Return the hosts that are reached without a proxy (pure)."""
    return Bypass.parse(_variable(environment, "no_proxy")[1])


def _variable(environment: Mapping[str, str], name: str) -> tuple[str, str]:
    """Return the name and value of a variable; the upper-case spelling comes first."""
    for spelling in (name.upper(), name):
        if value := environment.get(spelling, "").strip():
            return spelling, value
    return name.upper(), ""
