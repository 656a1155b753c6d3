"""Whether the upstream still permits what is cached."""

from __future__ import annotations

from contextvars import copy_context

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.expiry import EntryKey, Kind
from txregistry.interfaces.provenance import cache_status
from txregistry.proxy.rights import MAX_BYTES, Rights
from txregistry.spec.cachestatus import CacheStatus
from txregistry.spec.digest import Digest
from txregistry.spec.errors import Denied, UpstreamUnavailable
from txregistry.spec.reference import RepositoryName

KEY = EntryKey(RepositoryName.parse("a"), Kind.BLOB, str(Digest.of(b"x")))
OTHER = EntryKey(RepositoryName.parse("b"), Kind.BLOB, str(Digest.of(b"x")))
SECONDS = 60.0


class Memory:
    """A ledger of what was confirmed."""

    def __init__(self) -> None:
        self.known: dict[tuple[EntryKey, str], float] = {}

    def confirm(self, key: EntryKey, now: float, what: str) -> None:
        self.known[key, what] = now

    def confirmed_at(self, key: EntryKey, what: str) -> Deferred[float | None]:
        return succeed(self.known.get((key, what)))


class RightsTests(SynchronousTestCase):
    """Asked again after a minute."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.memory = Memory()
        self.rights = Rights(SECONDS, self.memory, self.clock)
        self.asked: list[Deferred[None]] = []

    def confirm(self) -> Deferred[None]:
        self.asked.append(Deferred())
        return self.asked[-1]

    def check(self, key: EntryKey = KEY) -> Deferred[None]:
        return self.rights.check(key, self.confirm)

    def test_recorded(self) -> None:
        """What was permitted is so for a minute, in its own repository, on disk too."""
        self.assertFalse(self.rights.is_recent(KEY))
        self.rights.record(KEY)
        self.clock.advance(SECONDS - 1)
        self.assertTrue(self.rights.is_recent(KEY))
        self.assertFalse(self.rights.is_recent(OTHER))
        self.clock.advance(1)
        self.assertFalse(self.rights.is_recent(KEY))
        self.assertEqual(self.memory.known, {(KEY, ""): 1000.0})

    def test_never(self) -> None:
        """With 0 nothing is asked again, and nothing is written."""
        rights = Rights(0, self.memory, self.clock)
        rights.record(KEY)
        self.assertTrue(rights.is_recent(OTHER))
        self.assertEqual(self.memory.known, {})

    def test_another_upstream(self) -> None:
        """What one upstream has permitted, another one is asked about."""
        self.memory.known[KEY, "another"] = 1000.0
        self.assertNoResult(self.check())

    def test_a_clock_that_is_ahead(self) -> None:
        """What another node has recorded for later counts for nothing now."""
        self.memory.known[KEY, ""] = 1000.0 + 3600.0
        self.assertNoResult(self.check())

    def test_after_a_restart(self) -> None:
        """What the ledger knows is not asked again, and is then in memory."""
        self.memory.known[KEY, ""] = 1000.0 - SECONDS + 1
        self.assertTrue(self.successResultOf(self.check()))
        self.assertEqual(self.asked, [])
        self.assertTrue(self.rights.is_recent(KEY))
        self.clock.advance(1)
        self.assertNoResult(self.check())

    def test_permitted(self) -> None:
        """One question serves all who ask meanwhile; the answer is recorded."""
        waiting = [self.check(), self.check()]
        self.assertEqual(len(self.asked), 1)
        self.asked[0].callback(None)
        for done in waiting:
            self.assertTrue(self.successResultOf(done))
        self.assertEqual(self.memory.known, {(KEY, ""): 1000.0})
        self.assertTrue(self.rights.is_recent(KEY))

    def test_refused(self) -> None:
        """A refusal is passed on, and nothing is recorded."""
        done = self.check()
        self.asked[0].errback(Denied())
        self.failureResultOf(done, Denied)
        self.assertEqual(self.memory.known, {})
        self.assertFalse(self.rights.is_recent(KEY))

    def test_other_failures(self) -> None:
        """A failure of ours is not taken for an outage."""
        done = self.check()
        self.asked[0].errback(ZeroDivisionError())
        self.failureResultOf(done, ZeroDivisionError)

    def test_cancelled(self) -> None:
        """The last who leaves ends the question."""
        first, second = self.check(), self.check()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertFalse(self.asked[0].called)
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.assertTrue(self.asked[0].called)

    def outage(self) -> CacheStatus:
        """Check during an outage; give what the response says of itself."""
        status = CacheStatus()

        def answer() -> None:
            cache_status.set(status)
            done = self.check()
            self.asked[-1].errback(UpstreamUnavailable({}, 1.0))
            self.assertFalse(self.successResultOf(done))

        copy_context().run(answer)
        return status

    def test_outage(self) -> None:
        """While it is away access is permitted, stale since it was last confirmed."""
        self.memory.known[KEY, ""] = 900.0
        status = self.outage()
        self.assertEqual((status.hit, status.forward), (True, "stale"))
        self.assertEqual(status.stale_seconds, 100.0)
        self.assertEqual(status.detail, UpstreamUnavailable.code.lower())
        self.assertEqual(self.memory.known, {(KEY, ""): 900.0})
        self.assertFalse(self.rights.is_recent(KEY))

    def test_outage_of_what_was_never_confirmed(self) -> None:
        """Of what nobody knows when it was, it is stale for the whole time."""
        self.assertEqual(self.outage().stale_seconds, SECONDS)

    def test_memory(self) -> None:
        """Memory is bounded; what was evicted is still in the ledger."""
        for number in range(20_000):
            self.rights.record(EntryKey(KEY.repository, Kind.BLOB, f"{number}"))
        first = EntryKey(KEY.repository, Kind.BLOB, "0")
        self.assertFalse(self.rights.is_recent(first))
        self.assertLessEqual(self.rights._granted.used_bytes, MAX_BYTES)
        self.successResultOf(self.check(first))
