"""Actions that another site has a browser ask for are refused (pure but for a key).

An action needs a token that only our own pages and our own API give, and where a
browser says from where a request comes, that has to be here.
"""

from __future__ import annotations

import hashlib
import hmac

import attrs

#: The header of the token; in a form it is the field ``token``.
TOKEN_HEADER = "X-CSRF-Token"  # noqa: S105 - a name


@attrs.frozen
class ActionTokens:
    """ActionTokens for visitors, good until the daemon ends.

    :param key: random bytes.
    """

    _key: bytes = attrs.field(repr=False)

    def token_of(self, who: str) -> str:
        """Return the token of a visitor."""
        return hmac.new(self._key, who.encode("utf-8"), hashlib.sha256).hexdigest()

    def is_good(self, who: str, token: str) -> bool:
        """Tell whether a token is the visitor's."""
        return hmac.compare_digest(
            self.token_of(who).encode(), token.encode("utf-8", "replace")
        )


def is_from_here(host: str, origin: str, fetch_site: str) -> bool:
    """Tell whether a request comes from a page of ours, as far as a browser says.

    :param host: the ``Host`` header.
    :param origin: the ``Origin`` header; empty if there is none.
    :param fetch_site: the ``Sec-Fetch-Site`` header, likewise.
    """
    if fetch_site and fetch_site not in ("same-origin", "none"):
        return False
    return not origin or origin.partition("://")[2].lower() == host.lower()
