"""Failed Deferreds that leave no cycles."""

from __future__ import annotations

import gc
import traceback
from weakref import ref

from twisted.internet.defer import (
    AlreadyCalledError,
    Deferred,
)
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.deferred import deferred
from txregistry.speed.failures import failed


class _Refusal(Exception):
    """An error that can be watched."""


class FailedTests(SynchronousTestCase):
    """Deferreds that fail at once."""

    def setUp(self) -> None:
        self.error = _Refusal("no")

    @deferred
    async def wait(self, done: Deferred[int]) -> int:
        return await done + 1

    def test_awaited(self) -> None:
        """Whoever awaits one gets the exception itself, and nothing is unhandled."""
        failure = self.failureResultOf(self.wait(failed(self.error)), _Refusal)
        self.assertIs(failure.value, self.error)

    def test_where_it_was_raised(self) -> None:
        """The traceback names who raised it, and whom it went through."""

        @deferred
        async def culprit() -> int:
            raise self.error

        found = self.failureResultOf(self.wait(culprit()), _Refusal)
        names = [frame.name for frame in traceback.extract_tb(found.tb)]
        self.assertEqual(
            [name for name in names if name in ("wait", "culprit")], ["wait", "culprit"]
        )

    def test_nothing_is_kept(self) -> None:
        """When it has been told, it goes without the cycle collector."""

        @deferred
        async def work() -> None:
            await failed(self.error)

        gone = ref(self.error)
        gc.disable()
        self.addCleanup(gc.enable)
        work().addErrback(lambda _: None)
        del self.error
        self.assertIsNone(gone())

    def test_nobody_asked(self) -> None:
        """What was not handled is logged once, however many it went through."""
        self.wait(failed(self.error))
        self.assertEqual(len(self.flushLoggedErrors(_Refusal)), 1)

    def test_fires_once(self) -> None:
        """It has its result."""
        done = failed(self.error)
        with self.assertRaises(AlreadyCalledError):
            done.callback(None)
        self.failureResultOf(done, _Refusal)

    def test_callbacks(self) -> None:
        """It takes callbacks like any other, and what they give is awaited."""
        done = failed(self.error).addErrback(lambda _: 1)
        self.assertEqual(self.successResultOf(self.wait(done)), 2)
        later: Deferred[int] = Deferred()
        waiting = self.wait(failed(self.error).addErrback(lambda _: later))
        later.callback(3)
        self.assertEqual(self.successResultOf(waiting), 4)
