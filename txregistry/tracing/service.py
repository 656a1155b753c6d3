"""The exporter's end: what has been traced is sent, for a few seconds at most."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout

#: Seconds that a stop waits for the exporter.
FLUSH_SECONDS = 5.0


@attrs.define(eq=False, slots=False)
class TracingService(Service):
    """Flushes the exporter at the stop, without blocking the reactor.

    :param shutdown: sends what is queued, and ends the exporter's thread; may block.
    """

    _reactor: Any
    _shutdown: Callable[[], None]

    def stopService(self) -> Deferred[None]:
        """Send what is queued; fires when it is sent or has failed, or time is up."""
        super().stopService()
        done: Deferred[None] = Deferred()
        # Not of a pool, which would wait for a collector that never answers.
        Thread(target=self._end, args=(done,), name="tracing-stop", daemon=True).start()
        done.addTimeout(FLUSH_SECONDS, self._reactor)
        return done.addErrback(lambda failure: failure.trap(DeferredTimeout) and None)

    def _end(self, done: Deferred[None]) -> None:
        try:
            self._shutdown()
        finally:
            self._reactor.callFromThread(_fire, done)


def _fire(done: Deferred[None]) -> None:
    if not done.called:
        done.callback(None)
