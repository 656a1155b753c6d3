"""The origin of a response: ``Cache-Status`` (RFC 9211) and ``Warning``.

``Warning: 110`` is from RFC 7234, 5.5; RFC 9111 dropped it, but clients still show it.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

#: The name under which this cache appears in ``Cache-Status``.
CACHE_NAME = "txregistry"

#: The detail of a response while the upstream is asked behind it.
BEHIND = "behind"


@attrs.define
class CacheStatus:
    """Where one response came from; set by the proxy, written by the web room.

    :ivar hit: served from the cache.
    :ivar forward: why the upstream was asked: ``miss`` or ``stale``; ``None`` if not.
    :ivar collapsed: several requests shared one upstream request or download.
    :ivar stored: the upstream's response was stored.
    :ivar stale_seconds: age of an unconfirmed response; ``None`` if it is not stale.
    :ivar detail: a token that says why a stale response was served.
    """

    hit: bool = False
    forward: str | None = None
    collapsed: bool = False
    stored: bool = False
    stale_seconds: float | None = None
    detail: str | None = None

    @property
    def is_known(self) -> bool:
        """Whether the origin was set."""
        return self.hit or self.forward is not None

    @property
    def is_unconfirmed(self) -> bool:
        """Whether the upstream failed to confirm it, or was spared."""
        return self.stale_seconds is not None and self.detail != BEHIND

    def served_from_cache(self) -> None:
        """Record that the content was cached and the upstream at most confirmed it.

        Content that was fetched for this response stays a miss.
        """
        if self.forward == "miss" and not self.stored:
            self.forward = None
        self.hit = self.forward != "miss"

    def fetched(self) -> None:
        """Record that the content was fetched from the upstream and stored."""
        self.hit, self.forward, self.stored = False, "miss", True

    def headers(self) -> Mapping[str, str]:
        """Return the response headers; empty if the origin is unknown."""
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
