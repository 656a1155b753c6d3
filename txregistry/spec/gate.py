"""Which changes the configuration permits, for all routes."""

from __future__ import annotations

from enum import Enum

import attrs

from txregistry.spec.errors import Unsupported


class Change(Enum):
    """How a request changes the registry."""

    NOTHING = "nothing"
    PUSH = "push"
    DELETE = "delete"


@attrs.frozen
class Gate:
    """Permits or refuses changes.

    :ivar is_cache: the registry is a pull-through cache, which clients cannot change.
    :ivar read_only: ``storage.maintenance.readonly.enabled``.
    :ivar deletes: ``storage.delete.enabled``.
    """

    is_cache: bool = False
    read_only: bool = False
    deletes: bool = False

    def check(self, change: Change) -> None:
        """Refuse a change that is not permitted.

        :raise Unsupported: it is not; the detail has the reason.
        """
        reason = self._objection(change)
        if reason:
            raise Unsupported({"reason": reason})

    def permits(self, change: Change) -> bool:
        """Return whether a change is permitted."""
        return not self._objection(change)

    def _objection(self, change: Change) -> str:
        if change is Change.NOTHING:
            return ""
        if self.is_cache:
            return "this registry is a pull-through cache"
        if self.read_only:
            return "this registry is read-only for maintenance"
        if change is Change.DELETE and not self.deletes:
            return "storage.delete.enabled is false"
        return ""
