"""The end of the exporter."""

from __future__ import annotations

from threading import Event
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.tracing.service import FLUSH_SECONDS, TracingService


class Reactor(Clock):
    """Keeps calls from threads until the test makes them."""

    def __init__(self) -> None:
        super().__init__()
        self.threaded: list[Any] = []
        self.came = Event()

    def callFromThread(self, function: Any, *args: Any) -> None:
        self.threaded.append((function, args))
        self.came.set()

    def make_calls(self) -> None:
        self.came.wait(10)
        for function, args in self.threaded:
            function(*args)


class StopTests(SynchronousTestCase):
    """A stop waits for the exporter, and not for ever."""

    def test_flush(self) -> None:
        """It fires when the exporter has ended."""
        reactor, ended = Reactor(), []
        service = TracingService(reactor, lambda: ended.append(True))
        service.startService()
        done = service.stopService()
        self.assertNoResult(done)
        reactor.make_calls()
        self.successResultOf(done)
        self.assertEqual(ended, [True])
        self.assertEqual(reactor.getDelayedCalls(), [])

    def test_collector_that_hangs(self) -> None:
        """It fires after some seconds, and the late end harms nobody."""
        reactor, go_on = Reactor(), Event()
        service = TracingService(reactor, lambda: go_on.wait(10) and None)
        service.startService()
        done = service.stopService()
        reactor.advance(FLUSH_SECONDS - 1)
        self.assertNoResult(done)
        reactor.advance(2)
        self.successResultOf(done)
        go_on.set()
        reactor.make_calls()
