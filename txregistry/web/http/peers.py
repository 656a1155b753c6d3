"""Who asks: the client itself, or a proxy for it."""

from __future__ import annotations

from typing import cast

from txregistry.spec.hops import client_address
from txregistry.web.http.channels import Home
from txregistry.web.http.texts import TextRequest


class PeerRequest(TextRequest):
    """A request that may have been forwarded by a proxy that is trusted."""

    _peer: str | None = None

    @property
    def hop(self) -> str:
        """Give the address at the other end, which may be a proxy's."""
        return str(getattr(self.client, "host", "-"))

    @property
    def peer(self) -> str:
        """Give the address of the client; see Note [Who asks] in ``spec/proxies``."""
        if self._peer is None:
            self._peer = self._find_peer()
        return self._peer

    def forwarded(self, name: str) -> str:
        """Give a header that a proxy has set; nothing from whom is not believed."""
        given = self.list_header(name)
        if not given or not cast(Home, self.site).proxies.trusts(self.hop):
            return ""
        return given

    def _find_peer(self) -> str:
        forwarded = self.list_header("Forwarded")
        forwarded_for = self.list_header("X-Forwarded-For")
        if not (forwarded or forwarded_for):
            return self.hop  # most come by themselves
        is_trusted = cast(Home, self.site).proxies.trusts_client_address
        return client_address(self.hop, forwarded, forwarded_for, is_trusted)
