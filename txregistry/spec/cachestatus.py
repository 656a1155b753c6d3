"""How an answer tells where it came from: ``Cache-Status`` and ``Warning``.

RFC 9211 for the first; RFC 7234, 5.5 for ``Warning: 110``, which RFC 9111 dropped
and clients still show.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

#: The name under which this cache appears in ``Cache-Status``.
CACHE_NAME = "txregistry"


@attrs.define
class CacheStatus:
    """Where one answer came from; written by the proxy, read by the web room.

    :ivar hit: served from what is stored.
    :ivar forward: why the upstream was asked: ``miss``, ``stale`` or ``None``.
    :ivar collapsed: several requests shared one question or download.
    :ivar stored: the answer was kept.
    :ivar stale_seconds: age of an unconfirmed answer; ``None`` if not stale.
    :ivar detail: one token that says why a stale answer was served.
    """

    hit: bool = False
    forward: str | None = None
    collapsed: bool = False
    stored: bool = False
    stale_seconds: float | None = None
    detail: str | None = None

    @property
    def is_known(self) -> bool:
        """Tell whether anybody said where the answer came from."""
        return self.hit or self.forward is not None

    def found(self) -> None:
        """Note that what is sent was here: who was asked only said that it still holds.

        What has just been brought stays a miss.
        """
        if self.forward == "miss" and not self.stored:
            self.forward = None
        self.hit = self.forward != "miss"

    def brought(self) -> None:
        """Note that what is sent has come from the upstream, and is kept."""
        self.hit, self.forward, self.stored = False, "miss", True

    def headers(self) -> Mapping[str, str]:
        """Give the response headers; none where nothing is known."""
        if not self.is_known:
            return {}
        found = {"Cache-Status": self._cache_status()}
        if self.stale_seconds is not None:
            found["Warning"] = '110 - "Response is Stale"'
            found["Age"] = str(max(0, round(self.stale_seconds)))
        return found

    def _cache_status(self) -> str:
        items = [CACHE_NAME]
        if self.hit:
            items.append("hit")
        if self.forward is not None:
            items.append(f"fwd={self.forward}")
        if self.stored:
            items.append("stored")
        if self.collapsed:
            items.append("collapsed")
        if self.detail is not None:
            items.append(f"detail={self.detail}")
        return "; ".join(items)
