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

    :ivar read_only: ``storage.maintenance.readonly.enabled``.
    :ivar deletes: ``storage.delete.enabled``.
    """

    read_only: bool = False
    deletes: bool = False

    def check(self, change: Change, is_cached: bool = False) -> None:
        """Refuse a change that is not permitted.

        :param is_cached: of a repository of an upstream, which clients cannot change.
        :raise Unsupported: it is not; the detail has the reason.
        """
        reason = self._objection(change, is_cached)
        if reason:
            raise Unsupported({"reason": reason})

    def permits(self, change: Change, is_cached: bool = False) -> bool:
        """Return whether a change is permitted."""
        return not self._objection(change, is_cached)

    def _objection(self, change: Change, is_cached: bool) -> str:
        if change is Change.NOTHING:
            return ""
        if is_cached:
            return "this registry is a pull-through cache"
        if self.read_only:
            return "this registry is read-only for maintenance"
        if change is Change.DELETE and not self.deletes:
            return "storage.delete.enabled is false"
        return ""
