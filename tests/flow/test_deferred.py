"""Coroutines as Deferreds."""

from __future__ import annotations

from twisted.internet.defer import (
    CancelledError,
    Deferred,
)
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.deferred import deferred


class DeferredTests(SynchronousTestCase):
    """Coroutines published as Deferreds."""

    def test_cancel_reaches_what_is_awaited(self) -> None:
        """Cancelling the outside cancels the inside."""
        inner: Deferred[None] = Deferred()

        @deferred
        async def work() -> None:
            await inner

        done = work()
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertTrue(inner.called)
