"""The login at the start, and the end of connections that are kept."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from txregistry.daemon.preload import Preload


class Pool:
    """Connections whose other side does not answer any more."""

    closing: Deferred[None] | None = None

    def closeCachedConnections(self) -> Deferred[None]:
        self.closing = Deferred()
        return self.closing


class StopTests(SynchronousTestCase):
    """The daemon stops."""

    def test_upstream_is_not_waited_for(self) -> None:
        """Connections are closed; an upstream that never agrees holds nothing up."""
        pool = Pool()
        preload = Preload(None, pool, False)
        preload.startService()
        self.assertIsNone(preload.stopService())
        self.assertIsNotNone(pool.closing)
