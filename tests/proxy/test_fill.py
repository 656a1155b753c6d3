"""The fill on a clock: many clients, one download."""

from __future__ import annotations

import os
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.streams import BoundedConsumer
from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.fills import FillCheckpoint
from txregistry.proxy.state import HELD_BACK_BYTES, MAX_FAILURES, FillState
from txregistry.spec.errors import BlobUnknown, UpstreamFailed
from txregistry.spec.reference import RepositoryName
from txregistry.storage.tree import layout
from txregistry.storage.uploads.arrivals import Arrivals
from txregistry.storage.uploads.partials import PartialBlob
from txregistry.testing.house import TestHouse
from txregistry.testing.upstream import Fault

SIZE = 1_000_000


class FillTests(SynchronousTestCase):
    """A blob of a megabyte from an upstream that takes two seconds."""

    def setUp(self) -> None:
        self.house = TestHouse()
        self.upstream = self.house.upstream
        self.upstream.rate = SIZE // 2
        self.content = os.urandom(SIZE)
        self.digest = self.upstream.add_blob("a", self.content)
        self.path = f"/v2/a/blobs/{self.digest}"

    def ask(self, name: str = "a", **headers: str):
        return self.house.ask("GET", f"/v2/{name}/blobs/{self.digest}", **headers)

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.02)):
            self.house.pump()
            self.house.clock.advance(0.02)
        self.house.pump()

    def gets(self) -> int:
        return self.upstream.count("GET", "/blobs/")

    def test_late_client_starts_at_byte_zero(self) -> None:
        """Whoever comes later gets everything, from the same download."""
        asked = [self.ask()]
        for _ in range(4):
            self.pass_time(0.4)
            asked.append(self.ask())
        for done in asked:
            self.assertEqual(self.house.settle(done).body, self.content)
        self.assertEqual(self.gets(), 1)
        coalesced = self.house.count(
            "registry_proxy_coalesced_total", type="blob", upstream="upstream.example"
        )
        self.assertEqual(coalesced, 4)

    def test_range_comes_as_soon_as_it_exists(self) -> None:
        """A range of what is there already does not wait for the rest."""
        whole = self.ask()
        self.pass_time(0.5)
        began = self.house.clock.seconds()
        got = self.house.settle(self.ask(Range="bytes=100-199"), step=0.0)
        self.assertEqual((got.status, got.body), (206, self.content[100:200]))
        self.assertEqual(self.house.clock.seconds(), began)
        self.assertNoResult(whole)
        self.house.settle(whole)
        self.assertEqual(self.gets(), 1)

    def test_range_waits_for_its_bytes(self) -> None:
        """A range of what is not there yet waits for it, and costs no download."""
        got = self.house.settle(self.ask(Range="bytes=500000-500009"))
        self.assertEqual(got.body, self.content[500000:500010])
        self.assertEqual(self.gets(), 1)

    def test_last_bytes_wait_for_the_digest(self) -> None:
        """The end is shown to nobody before it is verified."""
        self.upstream.faults.append(Fault("/blobs/", corrupt=10))
        tail = self.ask(Range=f"bytes={SIZE - 10}-")
        early = self.ask(Range="bytes=1000-1999")
        self.assertEqual(self.house.settle(early).body, self.content[1000:2000])
        got = self.house.settle(tail)
        self.assertEqual((got.broken, got.body), (True, b""))

    def test_head_during_a_fill(self) -> None:
        """HEAD is answered from what is known, with no question upstream."""
        whole = self.ask()
        self.pass_time(0.2)
        got = self.house.head(self.path)
        self.assertEqual((got.status, got.header("Content-Length")), (200, str(SIZE)))
        self.assertEqual(self.upstream.count("HEAD", "/blobs/"), 0)
        self.house.settle(whole)

    def test_client_that_leaves(self) -> None:
        """The fill goes on when its first client has gone, or its only one."""
        asked = self.ask()
        self.pass_time(0.3)
        asked.addErrback(lambda _: None)
        for pump in self.house.wire._pumps:
            pump.client.transport.loseConnection()
        self.pass_time(3)
        self.upstream.faults.append(Fault("/v2/", times=99, status=500))
        self.assertEqual(self.house.get(self.path).body, self.content)
        self.assertEqual(self.gets(), 1)
        self.assertFalse(self.house.content.leases.held(self.digest))

    def test_other_repository_joins_after_a_head(self) -> None:
        """A repository joins a fill when the upstream has confirmed its access."""
        self.upstream.add_blob("b", self.content)
        first = self.ask("a")
        self.pass_time(0.2)
        second = self.ask("b")
        denied = self.ask("c")
        for done in (first, second):
            self.assertEqual(self.house.settle(done).body, self.content)
        self.assertEqual(self.house.settle(denied).status, 404)
        # Of the one that was refused by HEAD, GET was asked as well.
        gets = [a.path for a in self.upstream.asked if a.method == "GET"]
        self.assertEqual(sorted(path[4] for path in gets), ["a", "c"])
        self.assertEqual(self.upstream.count("HEAD", "/blobs/"), 2)
        for name in ("a", "b"):
            link = layout.layer_link(RepositoryName(name), self.digest)
            self.assertIn(link, self.house.paths())

    def test_failure_reaches_all_and_the_next_begins_anew(self) -> None:
        """All who follow are cut; who comes right after gets a new download."""
        self.upstream.faults.append(Fault("/blobs/", corrupt=10))
        asked = [self.ask() for _ in range(3)]
        for done in asked:
            self.assertTrue(self.house.settle(done).broken)
        self.assertEqual(self.house.get(self.path).body, self.content)
        self.assertEqual(self.gets(), 2)

    def test_rate(self) -> None:
        """It is that of the bytes that came, and not of those that were here."""
        self.ask()
        self.pass_time(1.0)
        (fill,) = self.house.fills.under_way
        self.assertApproximates(fill.mean_rate, SIZE / 2, SIZE / 20)
        self.house.settle(self.house.fills.stopService())
        self.house.fills.startService()
        self.ask()
        self.pass_time(0.2)
        (resumed,) = self.house.fills.under_way
        self.assertGreater(resumed.state.written, SIZE / 2)
        self.assertApproximates(resumed.mean_rate, SIZE / 2, SIZE / 10)

    def test_rate_of_one_that_begins_anew(self) -> None:
        """What was here and was wrong does not count."""
        self.keep(bytes(SIZE))
        self.ask()
        self.pass_time(1.0)
        (fill,) = self.house.fills.under_way
        self.assertLess(fill.state.written, SIZE)
        self.assertApproximates(fill.mean_rate, SIZE / 2, SIZE / 10)

    def keep(self, content: bytes) -> None:
        """Have all of a blob here, as if a process had ended before it was stored."""
        partial = self.successResultOf(self.house.partials.open(digest=self.digest))
        partial.write(content)
        state = FillCheckpoint(SIZE, SIZE, None)
        self.successResultOf(partial.checkpoint(state=state))
        self.successResultOf(partial.close())

    def test_stop_makes_a_checkpoint(self) -> None:
        """Stopping keeps what there is, and the next process fetches the rest."""
        asked = self.ask()
        self.pass_time(1)
        self.successResultOf(self.house.fills.stopService())
        self.assertTrue(self.house.settle(asked).broken)
        self.assertEqual(self.house.get(self.path).status, 503)
        again = TestHouse(clock=self.house.clock, driver=self.house.driver)
        again.upstream.add_blob("a", self.content)
        self.assertEqual(again.get(self.path).body, self.content)
        (asked_again,) = again.upstream.asked
        offset = int(asked_again.headers["range"].removeprefix("bytes=").rstrip("-"))
        self.assertGreater(offset, 300_000)

    def test_stop_while_one_that_failed_cleans_up(self) -> None:
        """What has failed comes to the end of that, and leaves nothing open."""
        self.upstream.faults.append(Fault("/blobs/", corrupt=10))
        asked = self.ask()
        cleaning: list[Deferred[None]] = []

        def cancel(partial: object) -> Deferred[None]:
            cleaning.append(Deferred())
            return cleaning[-1]

        with patch.object(PartialBlob, "cancel", cancel):
            self.assertTrue(self.house.settle(asked).broken)
            self.assertEqual(len(cleaning), 1)
            stopping = self.house.fills.stopService()
            self.assertNoResult(stopping)
            self.assertFalse(cleaning[0].called)
            cleaning[0].callback(None)
            self.successResultOf(stopping)

    def test_complete_but_uncommitted(self) -> None:
        """If all was there when a process ended, only access is asked for."""
        self.keep(self.content)
        self.assertEqual(self.house.get(self.path).body, self.content)
        self.assertEqual((self.gets(), self.upstream.count("HEAD", "/blobs/")), (0, 1))

    def test_full_disk(self) -> None:
        """A disk that takes no more ends the fill and leaves nothing."""
        self.house.partials._arrivals = Arrivals(_Refusing(self.house.driver))
        got = self.house.get(self.path)
        self.assertEqual(got.status, 503)
        self.assertIn(b"No space left", got.body)
        self.assertEqual(len(self.flushLoggedErrors(DriverError)), 1)
        self.assertEqual(self.house.paths(), [])

    def test_follower_can_be_cancelled(self) -> None:
        """A read that is given up leaves the others alone."""
        repository = self.successResultOf(
            self.house.proxy.repository(RepositoryName("a"))
        )
        opened = repository.blobs.open(digest=self.digest)
        reader = self.house.settle(opened)
        first, second = BoundedConsumer(SIZE), BoundedConsumer(SIZE)
        given_up = reader.read(consumer=first, offset=0, size=SIZE)
        kept = reader.read(consumer=second, offset=0, size=SIZE)
        self.pass_time(0.5)
        given_up.cancel()
        self.failureResultOf(given_up, CancelledError)
        self.house.settle(kept)
        self.assertEqual(second.content, self.content)
        reader.close()
        reader.close()

    def test_slow_client_is_held_back(self) -> None:
        """A consumer that is full gets no more, however much has arrived."""
        repository = self.successResultOf(
            self.house.proxy.repository(RepositoryName("a"))
        )
        reader = self.house.settle(repository.blobs.open(digest=self.digest))
        full = Full()
        done = reader.read(consumer=full, offset=0, size=SIZE)
        self.pass_time(5)
        self.assertLessEqual(full.size, 256 * 1024)
        while not done.called:
            full.producer.resumeProducing()
            self.house.pump()
        self.assertEqual(full.size, SIZE)
        self.assertIsNone(full.producer)
        reader.close()

    def hold_up(self, method: str) -> Deferred:
        """Have a client get a blob that is not stored before a Deferred fires."""
        held = Deferred()
        do = getattr(PartialBlob, method)

        def hold(partial, *args, **kwargs):
            return held.addCallback(lambda _: do(partial, *args, **kwargs))

        self.patch(PartialBlob, method, hold)
        self.assert_whole(self.house.settle(self.ask()))
        self.assertNotIn(layout.blob_data(self.digest), self.house.paths())
        self.assertIsNotNone(self.house.fills.find(self.digest))
        return held

    def assert_whole(self, got) -> None:
        self.assertEqual((got.status, got.broken), (200, False))
        self.assertTrue(got.body == self.content)

    def test_shown_before_it_is_stored(self) -> None:
        """The end is given as soon as the digest agrees; nobody waits for the disk."""
        held = self.hold_up("commit")
        for asked in (self.ask(), self.ask()):
            self.assert_whole(self.house.settle(asked))
        head = self.house.head(f"/v2/a/blobs/{self.digest}")
        length = head.header("Content-Length")
        self.assertEqual((head.status, length), (200, str(SIZE)))
        held.callback(None)
        self.assertIn(layout.blob_data(self.digest), self.house.paths())
        self.assertIsNone(self.house.fills.find(self.digest))
        self.assert_whole(self.house.settle(self.ask()))
        self.assertEqual(self.gets(), 1)

    def test_not_stored(self) -> None:
        """A disk that fails behind is told, and who comes later has it fetched anew."""
        held = self.hold_up("commit")
        held.errback(DriverError("inmemory", "/data", "No space left"))
        self.assertEqual(self.house.paths(), [])
        self.assertIsNone(self.house.fills.find(self.digest))
        self.assert_whole(self.house.settle(self.ask()))
        self.assertEqual(self.gets(), 2)

    def test_stopped_before_it_is_stored(self) -> None:
        """A clean stop waits until what is whole is stored."""
        held = self.hold_up("commit")
        stopping = self.house.fills.stopService()
        self.assertNoResult(stopping)
        held.callback(None)
        self.successResultOf(stopping)
        self.assertIn(layout.blob_data(self.digest), self.house.paths())

    def test_wrong_at_the_end(self) -> None:
        """Of content that has not its digest the end is not shown."""
        self.upstream.blobs["a", str(self.digest)] = self.content[:-1] + bytes(
            [self.content[-1] ^ 1]
        )
        got = self.house.settle(self.ask())
        self.assertTrue(got.broken)
        self.assertLess(len(got.body), SIZE)
        self.assertEqual(self.house.paths(), [])

    def test_join_while_the_blob_is_linked(self) -> None:
        """Between the move and the last link a follower still reads the open file."""
        fills, adopting = self.house.fills, Deferred()
        asked = self.ask()
        self.pass_time(1)
        fill = fills.find(self.digest)
        fill._adopt = lambda name, descriptor: adopting
        self.pass_time(3)
        self.assertIn(layout.blob_data(self.digest), self.house.paths())
        for done in (asked, self.ask()):
            self.assert_whole(self.house.settle(done))
        adopting.callback(None)
        self.assertEqual(self.gets(), 1)

    def test_wrong_repository_harms_nobody(self) -> None:
        """A fill that was begun for a repository without the blob is not the end."""
        del self.upstream.blobs["a", str(self.digest)]
        self.upstream.add_blob("b", self.content)
        wrong = self.ask("a")
        self.house.wire.pump()
        right = self.ask("b")
        self.assertEqual(self.house.settle(wrong).status, 404)
        self.assertEqual(self.house.settle(right).body, self.content)


class Full:
    """A consumer that is full after every write."""

    def __init__(self) -> None:
        self.size, self.producer = 0, None

    def registerProducer(self, producer, streaming) -> None:
        assert self.producer is None
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def write(self, data: bytes) -> None:
        self.size += len(data)
        self.producer.pauseProducing()


class _Refusing:
    """A driver on which nothing can be written."""

    def __init__(self, driver) -> None:
        self.driver = driver

    def __getattr__(self, name: str):
        return getattr(self.driver, name)

    def writer(self, path, **how):
        from twisted.internet.defer import fail

        return fail(DriverError("inmemory", path, "No space left on device"))


class StateTests(SynchronousTestCase):
    """What a fill decides."""

    @given(st.integers(0, 10**7), st.one_of(st.none(), st.integers(0, 10**7)))
    def test_the_end_is_held_back(self, written: int, size: int | None) -> None:
        """Unverified, the last chunk of the whole is never visible."""
        state = FillState(size=size, written=written)
        known = written if size is None else size
        self.assertLessEqual(state.visible, max(0, known - HELD_BACK_BYTES))
        self.assertLessEqual(state.visible, written)
        state.verified = True
        self.assertEqual(state.visible, written)

    def test_attempts(self) -> None:
        """Failures in a row end it, progress starts the count again."""
        state, error = FillState(), UpstreamFailed()
        found = [state.next_attempt(error) for _ in range(MAX_FAILURES)]
        self.assertEqual(found, [1, 2, 3, 4, None])
        state.written += HELD_BACK_BYTES
        self.assertEqual(state.next_attempt(error), 1)

    def test_answers_are_not_tried_again(self) -> None:
        """404 and errors of our own are final."""
        for error in (BlobUnknown(), DriverError("x", "/y"), ZeroDivisionError()):
            self.assertIsNone(FillState().next_attempt(error))

    def test_size_agrees(self) -> None:
        """A size that changes is another blob."""
        self.assertTrue(FillState(size=None).accepts_size(5))
        self.assertTrue(FillState(size=5).accepts_size(None))
        self.assertFalse(FillState(size=5).accepts_size(6))
