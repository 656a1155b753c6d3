"""Whose download begins next."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from txregistry.proxy import waiting
from txregistry.proxy.waiting import WaitingBlobs
from txregistry.spec.digest import Digest
from txregistry.spec.errors import UpstreamUnavailable


class WaitingTests(SynchronousTestCase):
    """Blobs of several clients."""

    def setUp(self) -> None:
        self.queue = WaitingBlobs()
        self.woken: list[str] = []

    def wait(
        self, name: str, blob: str, repository: str = "r", is_awaited: bool = True
    ) -> Deferred[None]:
        digest = Digest.of(blob.encode())
        waits = self.queue.wait(name, repository, digest, is_awaited)
        waits.addCallback(lambda _: self.woken.append(blob))
        return waits

    def wake_all(self) -> list[str]:
        while self.queue:
            self.queue.wake_next()
        return self.woken

    def test_clients_take_turns(self) -> None:
        """One that wants much waits behind one that wants little."""
        for blob in ("a1", "a2", "a3", "a4"):
            self.wait("a", blob)
        self.wait("b", "b1")
        self.wait("c", "c1")
        self.wait("b", "b2")
        self.assertEqual(self.wake_all(), ["a1", "b1", "c1", "a2", "b2", "a3", "a4"])

    def test_turns_are_remembered(self) -> None:
        """Who had a turn has the next one after all others."""
        self.wait("a", "a1")
        self.wait("a", "a2")
        self.wait("b", "b1")
        self.queue.wake_next()
        self.wait("a", "a3")
        self.assertEqual(self.wake_all(), ["a1", "b1", "a2", "a3"])

    def test_repositories_take_turns(self) -> None:
        """A client's image of many layers does not keep its other images waiting."""
        for blob in ("x1", "x2", "x3"):
            self.wait("a", blob, "lib/x")
        self.wait("a", "y1", "lib/y")
        self.wait("b", "z1", "lib/x")
        self.wait("a", "y2", "lib/y")
        self.assertEqual(self.wake_all(), ["x1", "z1", "y1", "x2", "y2", "x3"])

    def test_same_blob(self) -> None:
        """All who want one blob are woken together, whatever they call it."""
        self.wait("a", "x")
        self.wait("a", "y")
        self.wait("b", "x")
        self.queue.wake_next()
        self.assertEqual(self.woken, ["x", "x"])
        self.assertEqual(self.wake_all(), ["x", "x", "y"])

    def test_what_nobody_waits_for(self) -> None:
        """It comes last, unless a client wants it as well."""
        for blob in ("n1", "n2", "n3"):
            self.wait("", blob, is_awaited=False)
        self.assertFalse(self.queue.is_awaited)
        self.wait("a", "a1")
        self.wait("b", "n3")
        self.wait("", "a1", is_awaited=False)
        self.assertTrue(self.queue.is_awaited)
        self.assertEqual(self.wake_all(), ["a1", "a1", "n3", "n3", "n1", "n2"])

    def test_leaving_what_nobody_waits_for(self) -> None:
        """Nothing is left of it, wherever it was."""
        first = self.wait("", "x", is_awaited=False)
        second = self.wait("a", "x")
        third = self.wait("", "y", is_awaited=False)
        for waits in (first, second, third):
            waits.cancel()
            self.failureResultOf(waits, CancelledError)
        self.assertEqual((bool(self.queue), self.queue.is_awaited), (False, False))

    def test_begun_elsewhere(self) -> None:
        """One whose download has begun out of turn waits no longer."""
        self.wait("", "x", is_awaited=False)
        self.wait("a", "y")
        for blob in ("x", "z"):
            self.queue.wake(Digest.of(blob.encode()))
        self.assertEqual(self.woken, ["x"])
        self.assertEqual(self.wake_all(), ["x", "y"])

    def test_leaving(self) -> None:
        """Who leaves leaves nothing, and no turn."""
        first, second = self.wait("a", "x"), self.wait("b", "x")
        third = self.wait("b", "y")
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertTrue(self.queue)
        for waits in (second, third):
            waits.cancel()
            self.failureResultOf(waits, CancelledError)
        self.assertFalse(self.queue)
        self.wait("c", "z")
        self.assertEqual(self.wake_all(), ["z"])

    def test_leaving_while_others_are_woken(self) -> None:
        """One may have another one leave."""
        first, second = self.wait("a", "x"), self.wait("a", "x")
        first.addCallback(lambda _: second.cancel())
        self.queue.wake_next()
        self.failureResultOf(second, CancelledError)
        self.assertFalse(self.queue)

    def test_too_many(self) -> None:
        """The queue has a length; whoever leaves makes room."""
        self.patch(waiting, "MAX_WAITING", 2)
        first = self.wait("a", "x")
        self.wait("a", "x")
        self.assertRaises(UpstreamUnavailable, self.wait, "b", "y")
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.wait("b", "y")
        self.assertEqual(self.wake_all(), ["x", "y"])
