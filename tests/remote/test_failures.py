"""Kinds of failure of an upstream."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.proxy.outage import is_answer, is_outage
from txregistry.remote.failures import (
    ConnectTimedOut,
    StorageRefused,
    TargetRefused,
    Unreachable,
)
from txregistry.spec.errors import UpstreamFailed, UpstreamTimeout


class FailureTests(SynchronousTestCase):
    """What clients are told of them."""

    def test_statuses(self) -> None:
        """All are failures of the upstream; only one that was late is 504."""
        for kind in (Unreachable, StorageRefused, TargetRefused):
            self.assertIsInstance(kind({}), UpstreamFailed)
            self.assertEqual(kind({}).status, 502, kind)
        self.assertIsInstance(ConnectTimedOut({}), Unreachable)
        self.assertEqual(ConnectTimedOut({}).status, UpstreamTimeout.status)
        self.assertEqual(ConnectTimedOut({}).code, UpstreamTimeout.code)

    def test_outages(self) -> None:
        """Where nobody is reached, what is cached is served."""
        for kind in (Unreachable, ConnectTimedOut, StorageRefused, TargetRefused):
            self.assertTrue(is_outage(kind({})), kind)
        for kind in (Unreachable, ConnectTimedOut):
            self.assertFalse(is_answer(kind({})), kind)
