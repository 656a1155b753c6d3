"""Waiters for a blob that is being filled: for its head, or for more bytes."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from txregistry.flow.waiters import Waiters
from txregistry.proxy.state import FillState
from txregistry.speed.failures import failed


@attrs.define(eq=False)
class Audience:
    """All waiters of one fill.

    :ivar has_head: the head was announced; clients may have seen a part of the blob.
    :ivar failure: the error that ended the fill.
    """

    has_head: bool = False
    failure: Failure | None = None
    _heads: Waiters[None] = attrs.field(factory=Waiters)
    _waiters: dict[int, Waiters[int]] = attrs.field(factory=dict)

    def head(self) -> Deferred[None]:
        """Fire when the upstream has sent the blob's head, or fail as the fill."""
        if self.failure is not None:
            return failed(self.failure)
        if self.has_head:
            return succeed(None)
        return self._heads.wait()

    def visible_past(self, offset: int, state: FillState) -> Deferred[int]:
        """Fire with the readable size, as soon as that is past an offset.

        At the end it fires with the end, even if that is not past the offset.
        """
        if state.visible > offset or state.verified:
            return succeed(state.visible)
        if self.failure is not None:
            return failed(self.failure)
        return self._waiters.setdefault(offset, Waiters()).wait()

    def announce(self) -> None:
        """Fire the waiters for the head."""
        self.has_head = True
        self._heads.fire(None)

    def wake(self, state: FillState) -> None:
        """Fire the waiters for more with the readable size."""
        ready = [
            offset
            for offset in self._waiters
            if state.verified or state.visible > offset
        ]
        for waiters in [self._waiters.pop(offset) for offset in ready]:
            waiters.fire(state.visible)

    def fail(self, failure: Failure) -> None:
        """Fire all waiters at the end of the fill."""
        self.failure = failure
        self._heads.fire(failure)
        waiting, self._waiters = self._waiters, {}
        for waiters in waiting.values():
            waiters.fire(failure)
