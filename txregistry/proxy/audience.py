"""Those who wait for a blob that is being filled: for its head, or for more of it."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from txregistry.flow.deferred import failed
from txregistry.flow.waiters import Waiters
from txregistry.proxy.state import FillState


@attrs.define(eq=False)
class Audience:
    """Everybody who waits for one fill.

    :ivar has_head: what the blob is was announced; somebody may have seen a part of it.
    :ivar failure: why there will be no more.
    """

    has_head: bool = False
    failure: Failure | None = None
    _heads: Waiters[None] = attrs.field(factory=Waiters)
    _waiters: dict[int, Waiters[int]] = attrs.field(factory=dict)

    def head(self) -> Deferred[None]:
        """Fire when the upstream has said what the blob is, or fail as the fill."""
        if self.failure is not None:
            return failed(self.failure)
        if self.has_head:
            return succeed(None)
        return self._heads.wait()

    def visible_past(self, offset: int, state: FillState) -> Deferred[int]:
        """Fire with how far can be read, as soon as that is past an offset.

        At the end it fires with the end, even if that is not past the offset.
        """
        if state.visible > offset or state.verified:
            return succeed(state.visible)
        if self.failure is not None:
            return failed(self.failure)
        return self._waiters.setdefault(offset, Waiters()).wait()

    def announce(self) -> None:
        """Tell those who wait for the head that it is there."""
        self.has_head = True
        self._heads.fire(None)

    def wake(self, state: FillState) -> None:
        """Tell those who wait for more how far can be read."""
        ready = [
            offset
            for offset in self._waiters
            if state.verified or state.visible > offset
        ]
        for waiters in [self._waiters.pop(offset) for offset in ready]:
            waiters.fire(state.visible)

    def fail(self, failure: Failure) -> None:
        """Tell everybody that there will be no more."""
        self.failure = failure
        self._heads.fire(failure)
        waiting, self._waiters = self._waiters, {}
        for waiters in waiting.values():
            waiters.fire(failure)
