"""The ledger in redis: several nodes, and a redis that goes away or forgets."""

from __future__ import annotations

from fakeredis import FakeServer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.flow.redis.fakes import ScriptedRedis
from txregistry.expiry import ledger_redis
from txregistry.expiry.ledger_redis import WRITE_SECONDS, RedisLedger
from txregistry.expiry.redis_scripts import KEYS, PREFIX
from txregistry.flow.redis.client import RETRY_SECONDS
from txregistry.flow.redis.txredisapi_private import MAX_ANSWER_BYTES
from txregistry.interfaces.expiry import Entry, Kind, LedgerAway
from txregistry.spec.digest import Digest
from txregistry.testing.ledgers import key_of, ledger_suite

STORED_KEY = PREFIX + "stored"


def on_server(case: SynchronousTestCase) -> RedisLedger:
    """Make a ledger of one node; all nodes of a test share a server."""
    if not hasattr(case, "server"):
        case.server = FakeServer()
    clock = Clock()
    return RedisLedger(ScriptedRedis(clock, case.server), clock)


RedisLedgerTests = ledger_suite(on_server)


class NodesTests(SynchronousTestCase):
    """Two nodes with one redis."""

    def setUp(self) -> None:
        self.clock, self.server = Clock(), FakeServer()
        self.redis = ScriptedRedis(self.clock, self.server)
        self.ledger = RedisLedger(self.redis, self.clock)
        self.other = RedisLedger(ScriptedRedis(self.clock, self.server), self.clock)

    def raw(self):
        return self.redis.connected.handler.client

    def due(self, ledger: RedisLedger) -> list[Entry]:
        return self.successResultOf(ledger.due(cutoff=1e9, limit=10))

    def add(self, last_use: float = 10.0, reference: str = "x") -> Entry:
        entry = Entry(key_of(reference), 1, last_use)
        self.ledger.add(entry)
        return entry

    def test_a_record_reaches_the_others(self) -> None:
        """What one node records, another sees after a second."""
        entry = self.add()
        self.assertEqual(self.due(self.other), [])
        self.clock.advance(WRITE_SECONDS)
        self.assertEqual(self.due(self.other), [entry])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_node_claims(self) -> None:
        """Of two nodes one gets an entry; a use at the other one keeps it."""
        entry = self.add()
        self.successResultOf(self.ledger.flush())
        self.assertTrue(self.successResultOf(self.other.claim(entry)))
        self.assertFalse(self.successResultOf(self.ledger.claim(entry)))
        kept = self.add(reference="y")
        self.successResultOf(self.ledger.flush())
        self.other.touch(kept.key, 20.0)
        self.successResultOf(self.other.flush())
        self.assertFalse(self.successResultOf(self.ledger.claim(kept)))

    def test_claims_of_a_dead_node_come_back(self) -> None:
        """What was claimed and not finished is due again when its time is over."""
        entry = self.add()
        self.assertTrue(self.successResultOf(self.ledger.claim(entry)))
        self.assertEqual(self.due(self.other), [])
        # Redis measures the lease by its own clock.
        self.raw().zadd(KEYS[4], {"a blob x": 1.0})
        self.assertEqual(self.due(self.other), [entry])
        self.assertTrue(self.successResultOf(self.other.claim(entry)))
        self.successResultOf(self.other.finish(entry))
        self.assertEqual(self.due(self.ledger), [])
        left = [name for name in KEYS[1:] if self.raw().exists(name)]
        self.assertEqual(left, [STORED_KEY])
        self.assertEqual(self.raw().get(STORED_KEY), "0")

    def test_what_is_claimed_is_not_restored(self) -> None:
        """A scan that still sees it does not bring it back."""
        entry = self.add()
        self.assertTrue(self.successResultOf(self.ledger.claim(entry)))
        self.successResultOf(self.other.restore([entry]))
        self.assertEqual(self.due(self.other), [])

    def test_redis_away(self) -> None:
        """Records wait, questions fail, and all is written when it is back."""
        self.redis.connected.size = 0
        entry = self.add()
        self.ledger.confirm(entry.key, 3.0, "it")
        self.clock.advance(WRITE_SECONDS)
        for asked in (
            self.ledger.due(cutoff=1e9, limit=1),
            self.ledger.claim(entry),
            self.ledger.holders(Digest.of(b"x")),
            self.ledger.flush(),
            self.ledger.restore([]),
        ):
            self.failureResultOf(asked, LedgerAway)
        confirmed = self.ledger.confirmed_at(entry.key, "it")
        self.assertEqual(self.successResultOf(confirmed), 3.0)
        unknown = self.ledger.confirmed_at(key_of("y"), "it")
        self.assertIsNone(self.successResultOf(unknown))
        self.redis.connected.size = 1
        self.clock.advance(RETRY_SECONDS)
        self.assertEqual(self.due(self.other), [entry])

    def test_an_old_removal(self) -> None:
        """What was removed while redis was away may be there again, by another node."""
        entry = self.add()
        self.successResultOf(self.ledger.flush())
        self.redis.connected.size = 0
        self.ledger.forget(entry.key)
        self.clock.advance(WRITE_SECONDS)
        self.other.add(entry)
        self.successResultOf(self.other.flush())
        self.redis.connected.size = 1
        self.clock.advance(RETRY_SECONDS)
        self.assertEqual(self.due(self.ledger), [entry])

    def test_too_much_waits(self) -> None:
        """Beyond a bound records are lost, and the tree is scanned again."""
        self.patch(ledger_redis, "MAX_WAITING", 10)
        self.redis.connected.size = 0
        for number in range(11):
            self.add(reference=str(number))
        self.assertEqual(self.ledger.generation, 0)
        self.redis.connected.size = 1
        self.clock.advance(WRITE_SECONDS)
        self.assertEqual(self.ledger.generation, 1)
        self.assertEqual(self.due(self.ledger), [])

    def test_redis_forgets_everything(self) -> None:
        """Each node notices, and none says that nobody holds what it asked about."""
        digest = Digest.of(b"x")
        self.add(reference=str(digest))
        self.successResultOf(self.ledger.flush())
        self.successResultOf(self.other.flush())
        self.assertEqual(self.due(self.other), self.due(self.ledger))
        self.raw().flushall()
        for ledger in (self.ledger, self.other):
            self.failureResultOf(ledger.holders(digest), LedgerAway)
            self.assertEqual(ledger.generation, 1)
            self.assertEqual(self.due(ledger), [])

    def test_records_survive_a_flush(self) -> None:
        """What is recorded is written into the new epoch."""
        self.due(self.ledger)
        self.raw().flushall()
        entry = self.add()
        self.successResultOf(self.ledger.flush())
        self.assertEqual(self.ledger.generation, 1)
        self.assertEqual(self.due(self.ledger), [entry])

    def test_forgotten_between_two_questions(self) -> None:
        """What waits is written, but a ledger that lacks the rest is not believed."""
        digest = Digest.of(b"x")
        entry = self.add(reference=str(digest))
        self.assertTrue(self.successResultOf(self.ledger.claim(entry)))
        self.raw().flushall()
        self.add(reference="y")
        for _ in range(2):
            self.failureResultOf(self.ledger.holders(digest), LedgerAway)
        self.assertEqual(self.ledger.generation, 1)
        self.successResultOf(self.ledger.restore([]))
        self.successResultOf(self.ledger.restore([entry]))
        self.failureResultOf(self.ledger.holders(digest), LedgerAway)
        self.ledger.scanned(0)
        self.failureResultOf(self.ledger.holders(digest), LedgerAway)
        self.ledger.scanned(1)
        self.assertEqual(len(self.successResultOf(self.ledger.holders(digest))), 1)

    def test_a_part_is_lost(self) -> None:
        """Where one key was evicted, all is scanned again."""
        digest = Digest.of(b"x")
        for generation, name in enumerate(KEYS):
            self.add(reference=str(digest))
            entry = self.add(reference="claimed")
            self.ledger.confirm(entry.key, 1.0, "it")
            self.assertTrue(self.successResultOf(self.ledger.claim(entry)))
            self.ledger.scanned(self.ledger.generation)
            self.raw().delete(name)
            if name == KEYS[-1]:  # the upstream is asked again, no more
                self.successResultOf(self.ledger.holders(digest))
                break
            self.failureResultOf(self.ledger.holders(digest), LedgerAway)
            self.assertEqual(self.ledger.generation, generation + 1, name)

    def test_another_server(self) -> None:
        """What a server has from another run is kept, and the tree is scanned again."""
        entry = self.add()
        self.successResultOf(self.ledger.flush())
        epoch = str(self.raw().get(KEYS[0]))
        self.raw().set(KEYS[0], f"{epoch}before")
        self.failureResultOf(self.ledger.claim(entry), LedgerAway)
        self.assertEqual(self.ledger.generation, 1)
        self.assertEqual(self.due(self.ledger), [entry])
        self.ledger._epoch = f"{epoch}before"
        self.raw().set(KEYS[0], f"{epoch}before")
        self.failureResultOf(self.ledger.claim(entry), LedgerAway)
        self.assertEqual(self.raw().get(KEYS[0]).split(" ")[1], epoch.split(" ")[1])

    def test_foreign_content(self) -> None:
        """What something else has left under our names goes."""
        self.due(self.ledger)
        for name in KEYS:
            for kind in ("string", "list"):
                self.raw().delete(name)
                if kind == "list":
                    self.raw().lpush(name, "x")
                else:
                    self.raw().set(name, "a string")
                self.failureResultOf(self.ledger.due(cutoff=1e9, limit=10), LedgerAway)
                entry = self.add()
                self.assertEqual(self.due(self.ledger), [entry])
        self.raw().zadd(KEYS[1], {"nonsense": 1.0})
        self.failureResultOf(self.ledger.due(cutoff=1e9, limit=10), LedgerAway)
        self.assertEqual(self.due(self.ledger), [])

    def test_the_longest_names(self) -> None:
        """A page of the longest ones is no longer than an answer may be."""
        name, digest = "a" * 255, f"sha512:{'f' * 128}"
        for number in range(200):
            key = key_of(digest, f"{number:03}{name[3:]}", Kind.MANIFEST)
            self.ledger.add(Entry(key, 10**12, 1764374400.123457))
        asked = [
            self.ledger.due(cutoff=1e12, limit=200),
            self.ledger.entries(),
            self.ledger.holders(Digest.parse(digest)),
        ]
        for done in asked:
            self.assertTrue(self.successResultOf(done))
        self.assertLess(self.redis.connected.handler.longest, MAX_ANSWER_BYTES)

    def test_close(self) -> None:
        """The rest is written, and no timer is left."""
        entry = self.add()
        self.successResultOf(self.ledger.close())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.due(self.other), [entry])
