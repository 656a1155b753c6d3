"""Those who wait for a blob that is being filled: for its head, or for more of it."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from txregistry.flow.deferred import failed
from txregistry.proxy.state import FillState


@attrs.define(eq=False)
class Audience:
    """Everybody who waits for one fill.

    :ivar has_head: what the blob is was announced; somebody may have seen a part of it.
    :ivar failure: why there will be no more.
    """

    has_head: bool = False
    failure: Failure | None = None
    _heads: list[Deferred[None]] = attrs.field(factory=list)
    _waiters: list[tuple[int, Deferred[int]]] = attrs.field(factory=list)

    def head(self) -> Deferred[None]:
        """Fire when the upstream has said what the blob is, or fail as the fill."""
        if self.failure is not None:
            return failed(self.failure)
        if self.has_head:
            return succeed(None)
        waiter: Deferred[None] = Deferred(self._heads.remove)
        self._heads.append(waiter)
        return waiter

    def visible_past(self, offset: int, state: FillState) -> Deferred[int]:
        """Fire with how far can be read, as soon as that is past an offset.

        At the end it fires with the end, even if that is not past the offset.
        """
        if state.visible > offset or state.verified:
            return succeed(state.visible)
        if self.failure is not None:
            return failed(self.failure)

        def leave(gone: Deferred[int]) -> None:
            self._waiters = [item for item in self._waiters if item[1] is not gone]

        waiter: Deferred[int] = Deferred(leave)
        self._waiters.append((offset, waiter))
        return waiter

    def announce(self) -> None:
        """Tell those who wait for the head that it is there."""
        self.has_head = True
        heads, self._heads = self._heads, []
        for waiter in heads:
            waiter.callback(None)

    def wake(self, state: FillState) -> None:
        """Tell those who wait for more how far can be read."""
        waiters, self._waiters = self._waiters, []
        ready: list[tuple[int, Deferred[int]]] = []
        for item in waiters:
            is_ready = state.verified or state.visible > item[0]
            (ready if is_ready else self._waiters).append(item)
        for _, waiter in ready:
            waiter.callback(state.visible)

    def fail(self, failure: Failure) -> None:
        """Tell everybody that there will be no more."""
        self.failure = failure
        heads, self._heads = self._heads, []
        waiters, self._waiters = self._waiters, []
        for head in heads:
            head.errback(failure)
        for _, waiter in waiters:
            waiter.errback(failure)
