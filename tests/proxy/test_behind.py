"""Questions that no client waits for."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.context import client_share, request_id, work_name
from txregistry.interfaces.provenance import current_status
from txregistry.proxy.behind import MAX_ASKED, Behind


class BehindTests(SynchronousTestCase):
    """Begun, shared, bounded, ended."""

    def setUp(self) -> None:
        self.behind = Behind()
        self.behind.startService()
        self.asked: list[Deferred[None]] = []
        self.cancelled: list[Deferred[None]] = []

    def question(self) -> Deferred[None]:
        self.asked.append(Deferred(self.cancelled.append))
        return self.asked[-1]

    def test_ends(self) -> None:
        """One that has ended can be asked again, also one that ends at once."""
        for _ in range(2):
            self.assertTrue(self.behind.ask("a", self.question))
            self.assertFalse(self.behind.ask("a", self.question))
            self.asked[-1].callback(None)
            self.assertTrue(self.behind.ask("b", lambda: succeed(None)))
        self.assertEqual((len(self.asked), len(self.behind)), (2, 0))

    def test_failure(self) -> None:
        """It is logged, and does no harm."""
        self.behind.ask("a", self.question)
        self.asked[0].errback(RuntimeError("disk"))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(len(self.behind), 0)

    def test_bounded(self) -> None:
        """Beyond the limit nothing is begun until one has ended."""
        for number in range(MAX_ASKED):
            self.assertTrue(self.behind.ask(number, self.question))
        self.assertFalse(self.behind.ask("more", self.question))
        self.asked[0].callback(None)
        self.assertTrue(self.behind.ask("more", self.question))

    def test_context(self) -> None:
        """It is nobody's request, and writes to nobody's status."""
        found: list[object] = []

        def question() -> Deferred[None]:
            current_status().hit = True
            found.extend((request_id.get(), client_share.get(), work_name.get()))
            return succeed(None)

        status = current_status()
        self.behind.ask("a", question)
        self.assertEqual(found, ["", "", "revalidation"])
        self.assertFalse(status.hit)

    def test_stop(self) -> None:
        """All are cancelled, and none begins afterwards."""
        self.behind.ask("a", self.question)
        self.successResultOf(self.behind.stopService())
        self.assertEqual(self.cancelled, self.asked)
        self.assertFalse(self.behind.ask("a", self.question))

    def test_forget(self) -> None:
        """Those of before are cancelled, and others begin."""
        self.behind.ask("a", self.question)
        self.behind.forget()
        self.assertEqual(len(self.behind), 0)
        self.assertTrue(self.behind.ask("a", self.question))
