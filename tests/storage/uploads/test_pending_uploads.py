"""New uploads are held for a moment, and lost by nobody but a killed process."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow import turns as turns_module
from txregistry.interfaces.driver import DriverError
from txregistry.spec.reference import RepositoryName
from txregistry.storage.tree import layout
from txregistry.storage.uploads import pending_uploads
from txregistry.storage.uploads.pending_uploads import HELD_SECONDS, PendingUploads
from txregistry.storagedriver.inmemory import MemoryDriver

NAME = RepositoryName("some/name")


class PendingUploadsTests(SynchronousTestCase):
    """Uploads between memory and disk."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.driver = MemoryDriver(self.clock)
        self.pending = PendingUploads(self.driver, self.clock)

    def begin(self, *ids: str) -> None:
        for upload in ids:
            self.successResultOf(self.pending.begin((NAME, upload), 12.0))

    def written(self) -> set[str]:
        """Give the ids of the uploads that are written down."""
        paths = self.driver.paths()
        return {path.split("/")[-2] for path in paths if path.endswith("/startedat")}

    def drop(self, upload: str) -> bool:
        return self.successResultOf(self.pending.drop((NAME, upload), 12.0))

    def test_gone_at_once(self) -> None:
        """What is a blob a moment later leaves no trace."""
        self.begin("a")
        self.assertEqual(self.pending.started_at((NAME, "a")), 12.0)
        self.assertTrue(self.drop("a"))
        self.assertIsNone(self.pending.started_at((NAME, "a")))
        self.clock.advance(HELD_SECONDS)
        self.assertEqual(self.written(), set())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_written_after_a_while(self) -> None:
        """As distribution does it, and then it is no longer held."""
        self.begin("a", "b")
        self.clock.advance(HELD_SECONDS)
        self.assertEqual(self.written(), {"a", "b"})
        path = layout.upload_started_at(NAME, "a")
        content = self.successResultOf(self.driver.get(path))
        self.assertEqual(content, b"1970-01-01T00:00:12Z")
        self.assertIsNone(self.pending.started_at((NAME, "a")))
        self.assertFalse(self.drop("a"))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_many_take_turns(self) -> None:
        """Others are not held up by a second's worth of uploads."""
        ids = [f"{number}" for number in range(40)]
        turns: list[int] = []

        def next_turn(clock: Clock, seconds: float) -> Deferred[None]:
            turns.append(len(self.written()))
            return deferLater(clock, seconds)

        self.patch(turns_module, "deferLater", next_turn)
        self.begin(*ids)
        self.clock.advance(HELD_SECONDS)
        self.assertEqual(turns, [16, 32])
        self.assertEqual(self.written(), set(ids))

    def test_no_more_than_so_many(self) -> None:
        """Memory is bounded, whoever begins uploads."""
        self.patch(pending_uploads, "MAX_HELD", 2)
        self.begin("a", "b", "c", "d")
        self.assertEqual(self.written(), {"c", "d"})

    def test_storage_of_several(self) -> None:
        """Where others go on with uploads, they find them at once."""
        self.pending = PendingUploads(self.driver, self.clock, 0.0)
        self.begin("a")
        self.assertEqual(self.written(), {"a"})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_lost_by_a_killed_process(self) -> None:
        """What had begun shortly before we did; elsewhere all is written at once."""
        self.clock.advance(1000)
        started = PendingUploads(self.driver, self.clock)
        self.clock.advance(100)
        times = {"a": 939.0, "b": 940.0, "c": 1000.0, "d": 1001.0}
        revived = {
            upload
            for upload, begun in times.items()
            if self.successResultOf(started.revive((NAME, upload), begun))
        }
        self.assertEqual(revived, {"b", "c"})
        self.assertEqual(started.started_at((NAME, "c")), 1000.0)
        # Once: after that we know ourselves what has become of it.
        self.assertFalse(self.successResultOf(started.revive((NAME, "c"), 1000.0)))
        shared = PendingUploads(self.driver, self.clock, 0.0)
        self.assertFalse(self.successResultOf(shared.revive((NAME, "e"), 1099.0)))

    def test_begun_in_the_second_of_our_start(self) -> None:
        """By us or the one before: times have whole seconds, so we remember ours."""
        self.clock.advance(1000.7)
        started = PendingUploads(self.driver, self.clock)
        self.successResultOf(started.begin((NAME, "ours"), 1000.0))
        self.assertTrue(self.successResultOf(started.drop((NAME, "ours"), 1000.0)))
        self.assertFalse(self.successResultOf(started.revive((NAME, "ours"), 1000.0)))
        self.assertTrue(self.successResultOf(started.revive((NAME, "theirs"), 1000.0)))

    def test_ended_since(self) -> None:
        """One that was written down before our start, and that we have ended."""
        self.clock.advance(1000.7)
        started = PendingUploads(self.driver, self.clock)
        self.assertFalse(self.successResultOf(started.drop((NAME, "a"), 990.0)))
        self.assertFalse(self.successResultOf(started.revive((NAME, "a"), 990.0)))
        for upload, begun in (("old", 100.0), ("new", 1001.0)):
            self.successResultOf(started.begin((NAME, upload), begun))
            self.successResultOf(started.drop((NAME, upload), begun))
        # What cannot be revived anyway is not remembered.
        self.assertEqual(started._ours, {(NAME, "a")})

    def test_name_that_no_storage_takes(self) -> None:
        """Its client hears so at once, and nobody else waits for it."""
        for name in ("localhost:5000/a", "a" * 300 + ".x/a"):
            key = (RepositoryName(name), "a")
            begun: list[object] = []
            self.pending.begin(key, 12.0).addBoth(begun.append)
            self.assertEqual(len(begun), 1)
            self.assertIsNone(self.pending.started_at(key))

    def test_one_that_cannot_be_written(self) -> None:
        """The others are; it is given up in the end."""
        put = MemoryDriver.put

        def denied(*args: Any, **named: Any) -> Any:
            if "/a/" in named["path"]:
                return fail(DriverError("memory", "/", "denied"))
            return put(*args, **named)

        self.patch(MemoryDriver, "put", denied)
        self.pending.startService()
        self.begin("a", "b")
        self.clock.advance(HELD_SECONDS)
        self.assertEqual(self.written(), {"b"})
        self.begin("c")
        self.assertIsNotNone(self.pending.started_at((NAME, "a")))
        self.successResultOf(self.pending.stopService())
        self.assertEqual(self.written(), {"b", "c"})
        self.clock.advance(100)
        self.successResultOf(self.pending.stopService())
        self.assertIsNone(self.pending.started_at((NAME, "a")))

    def test_kept(self) -> None:
        """What is to hold something acknowledged outlives a power failure."""
        put = MemoryDriver.put
        durable: list[bool] = []

        def recording(*args: Any, **named: Any) -> Any:
            durable.append(named["durable"])
            return put(*args, **named)

        self.patch(MemoryDriver, "put", recording)
        self.begin("a")
        self.clock.advance(HELD_SECONDS)
        self.assertEqual(durable, [False])
        self.successResultOf(self.pending.keep((NAME, "a"), 12.0))
        self.assertEqual(durable, [False, True])
        self.begin("b")
        self.successResultOf(self.pending.keep((NAME, "b"), 12.0))
        # It was held until then, and is written once.
        self.assertEqual(durable, [False, True, True])
        self.assertEqual(self.written(), {"a", "b"})
        self.assertIsNone(self.pending.started_at((NAME, "b")))

    def test_stops(self) -> None:
        """The next process goes on with what this one has begun."""
        self.pending.startService()
        self.begin("a")
        self.successResultOf(self.pending.stopService())
        self.assertEqual(self.written(), {"a"})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_last_write_fails(self) -> None:
        """Nothing is tried again after the stop."""
        self.pending.startService()
        self.begin("a")
        writing: Deferred[None] = Deferred()
        self.patch(MemoryDriver, "put", lambda *_, **named: writing)
        self.clock.advance(HELD_SECONDS)
        stopping = self.pending.stopService()
        writing.errback(DriverError("memory", "/", "full"))
        self.successResultOf(stopping)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_failure_of_another_kind(self) -> None:
        """Whatever fails is told and tried again, and keeps no other waiting."""
        put = MemoryDriver.put

        def odd(*args: Any, **named: Any) -> Any:
            is_odd = "/a/" in named["path"]
            return fail(KeyError("a")) if is_odd else put(*args, **named)

        patched = self.patch(MemoryDriver, "put", odd)
        self.begin("a", "b")
        self.clock.advance(HELD_SECONDS)
        self.assertEqual(self.written(), {"b"})
        patched.restore()
        self.clock.advance(HELD_SECONDS)
        self.assertEqual(self.written(), {"a", "b"})

    def test_disk_that_fails(self) -> None:
        """It is told in the log, and tried again; a new upload is refused."""
        put = MemoryDriver.put

        def full(*_: object, **named: object) -> None:
            raise DriverError("memory", "/", "full")

        self.begin("a")
        self.patch(MemoryDriver, "put", full)
        self.clock.advance(HELD_SECONDS)
        self.assertEqual(self.written(), set())
        self.patch(pending_uploads, "MAX_HELD", 1)
        done = self.pending.begin((NAME, "b"), 12.0)
        self.failureResultOf(done, DriverError)
        self.assertIsNone(self.pending.started_at((NAME, "b")))
        self.patch(MemoryDriver, "put", put)
        self.clock.advance(HELD_SECONDS)
        self.assertEqual(self.written(), {"a"})

    def test_dropped_while_it_is_written(self) -> None:
        """Whoever drops it waits, and knows that there is something to remove."""
        put, held = MemoryDriver.put, Deferred()
        self.patch(
            MemoryDriver,
            "put",
            lambda *args, **named: held.addCallback(lambda _: put(*args, **named)),
        )
        self.begin("a")
        self.clock.advance(HELD_SECONDS)
        dropping = self.pending.drop((NAME, "a"), 12.0)
        self.assertNoResult(dropping)
        held.callback(None)
        self.assertFalse(self.successResultOf(dropping))
        path = layout.upload_started_at(NAME, "a")
        self.successResultOf(self.driver.get(path))
        self.assertEqual(self.clock.getDelayedCalls(), [])
