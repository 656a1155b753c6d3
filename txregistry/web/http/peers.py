"""The address of a request's client, also behind trusted proxies."""

from __future__ import annotations

from typing import cast

from txregistry.spec.hops import client_address
from txregistry.web.http.connections import SiteContext
from txregistry.web.http.texts import TextRequest


class PeerRequest(TextRequest):
    """A request that a trusted proxy may have forwarded."""

    _peer: str | None = None

    @property
    def hop(self) -> str:
        """Return the address of the connection's peer, which may be a proxy."""
        return hop_of(self.client)

    @property
    def peer(self) -> str:
        """Return the address of the client; see Note [Who asks] in ``spec/proxies``."""
        if self._peer is None:
            self._peer = self._find_peer()
        return self._peer

    def forwarded(self, name: str) -> str:
        """Return a header set by a proxy; empty unless the peer is a trusted proxy."""
        given = self.list_header(name)
        if not given or not cast(SiteContext, self.site).proxies.trusts(self.hop):
            return ""
        return given

    def _find_peer(self) -> str:
        forwarded = self.list_header("Forwarded")
        forwarded_for = self.list_header("X-Forwarded-For")
        if not (forwarded or forwarded_for):
            return self.hop  # the common case
        trusts_client_address = cast(
            SiteContext, self.site
        ).proxies.trusts_client_address
        return client_address(self.hop, forwarded, forwarded_for, trusts_client_address)


def hop_of(address: object) -> str:
    """Return the address of a connection's peer as text."""
    return str(getattr(address, "host", "-"))
