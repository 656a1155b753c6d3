"""Logging in before the first request."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from txregistry.daemon.preload import Preload
from txregistry.spec.errors import Unauthorized


class Upstream:
    """A client and its pool, in one."""

    host = "upstream.example"

    def __init__(self) -> None:
        self.asked: list[Deferred[bool]] = []
        self.cancelled = self.closed = 0

    def preload(self) -> Deferred[bool]:
        self.asked.append(Deferred(self._count))
        return self.asked[-1]

    def _count(self, asked: Deferred[bool]) -> None:
        self.cancelled += 1

    def closeCachedConnections(self) -> Deferred[None]:
        self.closed += 1
        return succeed(None)


class PreloadTests(SynchronousTestCase):
    """At the start, and for nobody to wait for."""

    def start(self, uses_credentials: bool = True) -> Preload:
        self.upstream = Upstream()
        service = Preload(self.upstream, self.upstream, uses_credentials)
        service.startService()
        return service

    def test_without_credentials(self) -> None:
        """Whoever has none does not log in; the connections are closed all the same."""
        service = self.start(uses_credentials=False)
        self.successResultOf(service.stopService())
        self.assertEqual((self.upstream.asked, self.upstream.closed), ([], 1))

    def test_logged_in(self) -> None:
        """That it has logged in is told."""
        with capturedLogs() as events:
            service = self.start()
            self.upstream.asked[0].callback(True)
        self.assertIn("authenticated to upstream.example", formatEvent(events[-1]))
        self.successResultOf(service.stopService())
        self.assertEqual(self.upstream.closed, 1)

    def test_refused(self) -> None:
        """A refusal is one warning, and no failure."""
        with capturedLogs() as events:
            service = self.start()
            self.upstream.asked[0].errback(Unauthorized({"status": 401}))
        (told,) = map(formatEvent, events)
        self.assertIn("cannot authenticate to upstream.example yet", told)
        self.successResultOf(service.stopService())
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_stopped(self) -> None:
        """A login that is under way at the end is given up, without a word."""
        service = self.start()
        with capturedLogs() as events:
            self.successResultOf(service.stopService())
        self.assertEqual((self.upstream.cancelled, self.upstream.closed), (1, 1))
        self.assertEqual(list(events), [])
