"""A blob on its way into a growing file, however often it breaks off."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import IConsumer
from zope.interface import implementer

from tests.storage.test_namespace import StorageCase
from txregistry.flow.shared_rate import SharedRate
from txregistry.interfaces.blobs import IBlobResumer, IBlobService, IRemoteBlobReader
from txregistry.proxy.download import Download, DownloadContext
from txregistry.proxy.state import HELD_BACK_BYTES, FillState
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import (
    BlobUnknown,
    DigestInvalid,
    SizeInvalid,
    UpstreamFailed,
    UpstreamTimeout,
)
from txregistry.storage.tree import layout

CONTENT = bytes(range(256)) * 1024
DIGEST = Digest.of(CONTENT)


@implementer(IRemoteBlobReader)
@attrs.define(eq=False)
class Answer:
    """A body from an offset on, which may end with an error, or not at all."""

    descriptor: Descriptor
    start: int
    data: bytes
    ends: Deferred[None]
    validator: str | None = '"tag"'
    is_closed: bool = False

    def read(
        self, consumer: IConsumer, offset: int = 0, size: int | None = None
    ) -> Deferred[None]:
        consumer.write(self.data)
        return self.ends

    def close(self) -> None:
        self.is_closed = True


@implementer(IBlobService, IBlobResumer)
class Upstream:
    """Gives one answer after the other, and notes what was asked."""

    def __init__(self, *answers: object, size: int | None = len(CONTENT)) -> None:
        self._answers: Iterator[object] = iter(answers)
        self._described = Descriptor(DIGEST, size)
        self.asked: list[object] = []
        self.given: list[Answer] = []

    def stat(self, digest: Digest) -> Deferred[Descriptor]:
        self.asked.append("stat")
        return succeed(self._described)

    def open(self, digest: Digest) -> Deferred[IRemoteBlobReader]:
        self.asked.append("all")
        return self._give(0)

    def open_from(
        self, digest: Digest, offset: int, validator: str | None
    ) -> Deferred[IRemoteBlobReader]:
        self.asked.append((offset, validator))
        return self._give(offset)

    def _give(self, start: int) -> Deferred[IRemoteBlobReader]:
        answer = next(self._answers)
        if isinstance(answer, Exception):
            return fail(answer)
        data, ends = answer  # type: ignore[misc]
        self.given.append(Answer(self._described, start, data, ends))
        return succeed(self.given[-1])


def whole(data: bytes) -> tuple[bytes, Deferred[None]]:
    return data, succeed(None)


def broken(data: bytes) -> tuple[bytes, Deferred[None]]:
    return data, fail(UpstreamFailed({"reason": "cut"}))


class DownloadTests(StorageCase):
    """From the upstream's answers to what is stored."""

    def make(self, upstream: Upstream, expected: int | None = None) -> Download:
        house = self.house
        self.upstream = upstream
        context = DownloadContext(
            house.partials,
            house.clock,
            lambda: 0.5,
            house.metrics,
            SharedRate(house.clock),
            90.0,
        )
        return Download(DIGEST, upstream, context, FillState(expected=expected))

    def leave(self, data: bytes) -> None:
        """Let an earlier attempt have come so far."""
        earlier = self.make(Upstream(broken(data)))
        work = earlier.fetch()
        work.cancel()
        self.failureResultOf(work, CancelledError)
        self.ok(earlier.keep())

    def test_whole(self) -> None:
        """One request; its audience sees all, and a commit stores it."""
        download = self.make(Upstream(whole(CONTENT)))
        head = download.audience.head()
        end = download.audience.visible_past(len(CONTENT) - 1, download.state)
        self.ok(download.fetch())
        self.assertIsNone(self.ok(head))
        self.assertEqual(self.ok(end), len(CONTENT))
        stored = self.ok(download.commit())
        self.assertEqual((stored.digest, stored.size), (DIGEST, len(CONTENT)))
        self.assertEqual(self.house.paths(), [layout.blob_data(DIGEST)])
        self.assertEqual(self.upstream.asked, ["all"])
        self.assertTrue(self.upstream.given[0].is_closed)
        self.assertEqual(self.house.clock.getDelayedCalls(), [])

    def test_unknown(self) -> None:
        """A blob that the upstream has not got touches no disk."""
        download = self.make(Upstream(BlobUnknown({})))
        self.failureResultOf(download.fetch(), BlobUnknown)
        self.assertIsNone(download.file)
        self.assertEqual(self.house.paths(), [])

    def test_breaks_off(self) -> None:
        """The rest is requested after a wait, if it is still the same."""
        cut = len(CONTENT) // 2
        upstream = Upstream(broken(CONTENT[:cut]), whole(CONTENT[cut:]))
        download = self.make(upstream)
        work = download.fetch()
        self.assertNoResult(work)
        self.house.clock.advance(8.0)
        self.ok(work)
        self.assertEqual(upstream.asked, ["all", (cut, '"tag"')])
        self.assertEqual(download.resumed_at, 0)

    def test_shorter_than_announced(self) -> None:
        """A body that ends early has broken off."""
        cut = len(CONTENT) // 2
        upstream = Upstream(whole(CONTENT[:cut]), whole(CONTENT[cut:]))
        work = self.make(upstream).fetch()
        self.assertNoResult(work)
        self.house.clock.advance(8.0)
        self.ok(work)

    def test_earlier_attempt(self) -> None:
        """What it left is resumed."""
        cut = HELD_BACK_BYTES + 1
        self.leave(CONTENT[:cut])
        download = self.make(Upstream(whole(CONTENT[cut:])))
        self.ok(download.fetch())
        self.assertEqual(self.upstream.asked, [(cut, '"tag"')])
        self.assertEqual(download.resumed_at, cut)

    def test_earlier_attempt_had_all(self) -> None:
        """Only access is checked."""
        self.leave(CONTENT)
        self.ok(self.make(Upstream()).fetch())
        self.assertEqual(self.upstream.asked, ["stat"])

    def test_earlier_attempt_was_wrong(self) -> None:
        """It is downloaded once more, from the start."""
        self.leave(b"?" * len(CONTENT))
        download = self.make(Upstream(whole(CONTENT)))
        self.ok(download.fetch())
        self.assertEqual(self.upstream.asked, ["stat", "all"])
        self.assertTrue(download.state.verified)

    def test_wrong(self) -> None:
        """Content that does not match is deleted, and not requested again."""
        download = self.make(Upstream(whole(CONTENT[::-1])))
        error = self.failureResultOf(download.fetch(), DigestInvalid).value
        self.ok(download.clean_up(error))
        self.assertEqual(self.upstream.asked, ["all"])
        self.assertEqual(self.house.paths(), [])

    def test_another_size(self) -> None:
        """An answer of another size than was claimed before is not this blob."""
        download = self.make(Upstream(whole(CONTENT)), expected=1)
        self.failureResultOf(download.fetch(), SizeInvalid)
        self.assertFalse(download.audience.has_head)

    def test_stalls(self) -> None:
        """After so long without a new byte it fails, and what came is kept."""
        ends: Deferred[None] = Deferred()
        download = self.make(Upstream((CONTENT[:-1], ends)))
        work = download.fetch()
        self.house.clock.advance(89.0)
        self.assertNoResult(work)
        self.house.clock.advance(1.0)
        error = self.failureResultOf(work, UpstreamTimeout).value
        self.ok(download.clean_up(error))
        self.assertTrue(self.exists(layout.fill_data(DIGEST)))
        self.assertTrue(self.upstream.given[0].is_closed)

    def test_cancelled(self) -> None:
        """It stops where it is; what came can be kept."""
        ends: Deferred[None] = Deferred()
        download = self.make(Upstream((CONTENT[:-1], ends)))
        work = download.fetch()
        work.cancel()
        self.failureResultOf(work, CancelledError)
        self.ok(download.keep())
        self.assertEqual(self.house.clock.getDelayedCalls(), [])
        self.assertTrue(self.exists(layout.fill_data(DIGEST)))
