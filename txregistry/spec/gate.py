"""What may be changed: one decision for every route that changes anything."""

from __future__ import annotations

from enum import Enum

import attrs

from txregistry.spec.errors import Unsupported


class Change(Enum):
    """What a request would do to the registry."""

    NOTHING = "nothing"
    PUSH = "push"
    DELETE = "delete"


@attrs.frozen
class Gate:
    """What the configuration permits.

    :ivar is_cache: of an upstream, which alone says what there is.
    :ivar read_only: ``storage.maintenance.readonly.enabled``.
    :ivar deletes: ``storage.delete.enabled``.
    """

    is_cache: bool = False
    read_only: bool = False
    deletes: bool = False

    def check(self, change: Change) -> None:
        """Let a change pass.

        :raise Unsupported: it is not permitted; says why.
        """
        reason = self._objection(change)
        if reason:
            raise Unsupported({"reason": reason})

    def permits(self, change: Change) -> bool:
        """Tell whether a change would pass."""
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
