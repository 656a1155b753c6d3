"""The login before the first request, and again when that is another one."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.defer import Deferred, succeed
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from txregistry.daemon.preload import Preload
from txregistry.spec.errors import Unauthorized


class Client:
    """Logs in when the test says so."""

    host = "upstream.example"

    def __init__(self) -> None:
        self.logins: list[Deferred[bool]] = []
        self.cancelled = 0

    def preload(self) -> Deferred[bool]:
        self.logins.append(Deferred(self.cancel))
        return self.logins[-1]

    def cancel(self, _: Deferred[bool]) -> None:
        self.cancelled += 1


class Pool:
    """Counts how often it was closed."""

    def __init__(self) -> None:
        self.retired = self.closed = 0
        self.closing: Deferred[None] = succeed(None)

    def retire(self) -> None:
        self.retired += 1

    def closeCachedConnections(self) -> Deferred[None]:
        self.closed += 1
        return self.closing


class PreloadTests(SynchronousTestCase):
    """A login that may change."""

    def setUp(self) -> None:
        self.client, self.pool = Client(), Pool()

    def make(self, uses_credentials: bool) -> Preload:
        return Preload(cast(Any, self.client), cast(Any, self.pool), uses_credentials)

    def test_without_credentials(self) -> None:
        """Nobody logs in."""
        self.make(False).startService()
        self.assertEqual(self.client.logins, [])

    def test_renewed(self) -> None:
        """The login of before is given up, its connections end, and another begins."""
        preload, other = self.make(True), Pool()
        preload.startService()
        preload.renew(cast(Any, other), True)
        self.assertEqual((self.client.cancelled, self.pool.retired), (1, 1))
        self.assertEqual(len(self.client.logins), 2)
        self.client.logins[1].callback(True)
        preload.renew(cast(Any, Pool()), False)
        self.assertEqual((len(self.client.logins), other.retired), (2, 1))

    def test_renewed_before_the_start(self) -> None:
        """Nobody logs in before that."""
        preload, other = self.make(False), Pool()
        preload.renew(cast(Any, other), True)
        self.assertEqual(self.client.logins, [])
        preload.startService()
        self.assertEqual(len(self.client.logins), 1)
        self.successResultOf(preload.stopService())
        self.assertEqual((self.client.cancelled, other.closed), (1, 1))

    def test_logged_in(self) -> None:
        """That it has logged in is told."""
        preload = self.make(True)
        with capturedLogs() as events:
            preload.startService()
            self.client.logins[0].callback(True)
        self.assertIn("authenticated to upstream.example", formatEvent(events[-1]))
        self.successResultOf(preload.stopService())
        self.assertEqual(self.pool.closed, 1)

    def test_refused(self) -> None:
        """A refusal is one warning, and no failure."""
        preload = self.make(True)
        with capturedLogs() as events:
            preload.startService()
            self.client.logins[0].errback(Unauthorized({"status": 401}))
        (told,) = map(formatEvent, events)
        self.assertIn("cannot authenticate to upstream.example yet", told)
        self.successResultOf(preload.stopService())
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_stopped(self) -> None:
        """A login that is under way at the end is given up, without a word."""
        preload = self.make(True)
        preload.startService()
        with capturedLogs() as events:
            self.successResultOf(preload.stopService())
        self.assertEqual((self.client.cancelled, self.pool.closed), (1, 1))
        self.assertEqual(list(events), [])

    def test_upstream_that_is_gone(self) -> None:
        """An upstream that never agrees to the end of a connection holds nothing up."""
        preload = self.make(False)
        preload.startService()
        self.pool.closing = Deferred()
        self.successResultOf(preload.stopService())
        self.assertEqual(self.pool.closed, 1)
