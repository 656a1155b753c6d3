"""How much has to go (pure)."""

from __future__ import annotations

import attrs

from txregistry.interfaces.eviction import Limit, Shortage, SpaceUsage
from txregistry.spec.space import MinFree


@attrs.frozen
class SpacePlan:
    """The limits of a cache.

    :ivar max_bytes: of all that is cached, downloads included; 0 for no limit.
    :ivar min_free: of the file system.
    """

    max_bytes: int = 0
    min_free: MinFree = MinFree()

    @property
    def has_limits(self) -> bool:
        """Return whether there is anything to keep to."""
        return bool(self.max_bytes or self.min_free)

    def keep_free(self, usage: SpaceUsage) -> int:
        """Return the bytes that stay free."""
        return 0 if usage.disk is None else self.min_free.of(usage.disk.total)

    def shortage(self, usage: SpaceUsage, size: int = 0) -> Shortage | None:
        """Decide how much has to go before so many bytes more are stored."""
        found = [
            shortage
            for shortage in (self._too_much(usage, size), self._too_little(usage, size))
            if shortage.size > 0
        ]
        return max(found, key=lambda shortage: shortage.size, default=None)

    def may_fit(self, usage: SpaceUsage, size: int) -> bool:
        """Decide whether so many bytes would fit if nothing else was cached."""
        if self.max_bytes and size > self.max_bytes:
            return False
        keep_free = self.keep_free(usage)
        if usage.disk is None or not keep_free:
            return True
        return size + keep_free <= usage.disk.total

    def _too_much(self, usage: SpaceUsage, size: int) -> Shortage:
        over = usage.total + size - self.max_bytes if self.max_bytes else 0
        return Shortage(over, Limit.SIZE)

    def _too_little(self, usage: SpaceUsage, size: int) -> Shortage:
        keep_free = self.keep_free(usage)
        if usage.disk is None or not keep_free:
            return Shortage(0, Limit.FREE)
        left = usage.disk.free - usage.unwritten - size
        return Shortage(keep_free - left, Limit.FREE)
