"""What the coroutines of one request know about it."""

from __future__ import annotations

from contextvars import copy_context

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.context import client_share, request_id
from txregistry.flow.deferred import deferred


class ContextTests(SynchronousTestCase):
    """Variables of a request."""

    def test_outside(self) -> None:
        """Outside of a request both are empty."""
        self.assertEqual((request_id.get(), client_share.get()), ("", ""))

    def test_two_requests(self) -> None:
        """Coroutines keep those of their own request, whatever runs in between."""

        @deferred
        async def handle(waiting: Deferred[None]) -> tuple[str, str]:
            await waiting
            return request_id.get(), client_share.get()

        def begin(name: str) -> Deferred[tuple[str, str]]:
            request_id.set(name)
            client_share.set(f"peer of {name}")
            return handle(waiting)

        waiting: Deferred[None] = Deferred()
        found = [copy_context().run(begin, name) for name in ("a", "b")]
        waiting.callback(None)
        self.assertEqual(
            [self.successResultOf(each) for each in found],
            [("a", "peer of a"), ("b", "peer of b")],
        )
        self.assertEqual((request_id.get(), client_share.get()), ("", ""))
