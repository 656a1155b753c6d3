"""Hashes of what is read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.flow.test_producer_relay import Reading
from txregistry.storagedriver.s3.hashing import HashingConsumer

MIB = 1024 * 1024


class SlowDisk:
    """Does what it is asked for later."""

    def __init__(self) -> None:
        self.jobs: list[Callable[[], None]] = []

    def run(self, work: Callable[..., Any], *args: Any) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()

        def do() -> None:
            try:
                done.callback(work(*args))
            except Exception:
                done.errback()

        self.jobs.append(do)
        return done


class HashingTests(SynchronousTestCase):
    """On a thread, in order, with pauses."""

    def test_order_and_pauses(self) -> None:
        """One batch is hashed while the next gathers; too much of it pauses."""
        disk, hasher, producer = SlowDisk(), hashlib.sha256(), Reading()
        consumer = HashingConsumer(disk, hasher)
        consumer.registerProducer(producer, True)  # type: ignore[arg-type]
        pieces = [bytes([number]) * MIB for number in range(5)]
        for piece in pieces:
            consumer.write(piece)
        self.assertEqual(len(disk.jobs), 1)
        self.assertIn("pause", producer.told)
        done = consumer.flushed()
        while disk.jobs:
            self.assertNoResult(done)
            disk.jobs.pop()()
        self.successResultOf(done)
        self.assertEqual(producer.told[-1], "resume")
        wanted = hashlib.sha256(b"".join(pieces)).hexdigest()
        self.assertEqual(hasher.hexdigest(), wanted)

    def test_failure(self) -> None:
        """A hash that fails is told at the end."""
        disk = SlowDisk()
        consumer = HashingConsumer(disk, None)  # type: ignore[arg-type]
        consumer.write(b"x")
        done = consumer.flushed()
        disk.jobs.pop()()
        self.failureResultOf(done, AttributeError)
