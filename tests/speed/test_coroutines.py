"""Coroutines that are begun without the machinery of waiting."""

from __future__ import annotations

import traceback
from contextvars import ContextVar, copy_context
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from txregistry.speed.coroutines import start


class Refusal(Exception):
    """An error of a test."""


async def answer(*waiting: Deferred[Any]) -> list[Any]:
    return [await each for each in waiting]


class StartTests(SynchronousTestCase):
    """The same as ``Deferred.fromCoroutine``."""

    def test_nothing_to_wait_for(self) -> None:
        """One that never waits has fired, or waits only for what is there."""
        self.assertEqual(self.successResultOf(start(answer())), [])
        found = start(answer(succeed(1), succeed(2)))
        self.assertEqual(self.successResultOf(found), [1, 2])

    def test_waits(self) -> None:
        """It goes on where it waits, each time, also after what was there already."""
        first: Deferred[int] = Deferred()
        second: Deferred[int] = Deferred()
        found = start(answer(succeed(0), first, succeed(1), second))
        self.assertNoResult(found)
        first.callback(7)
        self.assertNoResult(found)
        second.callback(8)
        self.assertEqual(self.successResultOf(found), [0, 7, 1, 8])

    def test_fails(self) -> None:
        """What it raises, at once or later, fails the Deferred with its traceback."""
        waiting: Deferred[None] = Deferred()

        async def culprit(first: Deferred[None]) -> None:
            await first
            raise Refusal

        for first in (succeed(None), waiting):
            found = start(culprit(first))
            if first is waiting:
                waiting.callback(None)
            failure = self.failureResultOf(found, Refusal)
            names = [frame.name for frame in traceback.extract_tb(failure.tb)]
            self.assertIn("culprit", names)

    def test_failure_of_what_it_waits_for(self) -> None:
        """A failure is raised where it waits, and can be handled there."""
        waiting: Deferred[int] = Deferred()

        async def patient(first: Deferred[int]) -> int:
            try:
                return await first
            except Refusal:
                return await succeed(5)

        for first in (fail(Refusal()), waiting):
            found = start(patient(first))
            if first is waiting:
                waiting.errback(Refusal())
            self.assertEqual(self.successResultOf(found), 5)

    def test_cancelled(self) -> None:
        """What it waits for is cancelled, and it is told where it waits."""
        cancelled: list[str] = []
        first: Deferred[None] = Deferred(lambda _: cancelled.append("first"))
        second: Deferred[None] = Deferred(lambda _: cancelled.append("second"))
        closed: list[bool] = []

        async def careful() -> None:
            try:
                await first
                await second
            finally:
                closed.append(True)

        found = start(careful())
        first.callback(None)
        found.cancel()
        self.failureResultOf(found, CancelledError)
        self.assertEqual((cancelled, closed), (["second"], [True]))

    def test_context(self) -> None:
        """It sees the variables of whoever began it, also after it has waited."""
        name: ContextVar[str] = ContextVar("name", default="nobody")
        waiting: Deferred[None] = Deferred()

        async def whose() -> list[str]:
            return [name.get(), str(await waiting), name.get()]

        def begin() -> Deferred[list[str]]:
            name.set("ann")
            return start(whose())

        found = copy_context().run(begin)
        waiting.callback(None)
        self.assertEqual(self.successResultOf(found), ["ann", "None", "ann"])
        self.assertEqual(name.get(), "nobody")
