"""Frames of HTTP/2 that are many, or do not end."""

from __future__ import annotations

from h2.config import H2Configuration
from h2.connection import H2Connection
from twisted.trial.unittest import SynchronousTestCase

from txregistry.web.http.frames import (
    MAX_FRAMES_PER_TURN,
    ExpensiveReads,
    HeadTimer,
    has_many_frames,
)

PING = b"\0\0\x08\x06\0\0\0\0\0" + bytes(8)


def data(size: int) -> bytes:
    """Give a DATA frame of the first stream."""
    return size.to_bytes(3, "big") + b"\0\0\0\0\0\x01" + bytes(size)


class ManyTests(SynchronousTestCase):
    """How many frames there are."""

    def test_limit(self) -> None:
        """So many may be whole; a further byte is one of one more."""
        self.assertFalse(has_many_frames(PING * MAX_FRAMES_PER_TURN))
        self.assertTrue(has_many_frames(PING * MAX_FRAMES_PER_TURN + b"\0"))
        self.assertFalse(has_many_frames(b""))

    def test_sizes(self) -> None:
        """Frames are counted, not bytes."""
        self.assertFalse(has_many_frames(data(16_384) * 8))
        self.assertTrue(has_many_frames(data(0) * 200))
        self.assertFalse(has_many_frames(data(16_384)[:-1]))


class ConnectionCase(SynchronousTestCase):
    """A server whose client has sent its preface."""

    def setUp(self) -> None:
        self.server = H2Connection(H2Configuration(client_side=False))
        self.server.initiate_connection()
        client = H2Connection(H2Configuration())
        client.initiate_connection()
        self.server.receive_data(client.data_to_send())


class ExpensiveTests(ConnectionCase):
    """Reads that are to be taken in steps."""

    def test_first(self) -> None:
        """The first bytes of a connection always are, later ones only if many."""
        reads = ExpensiveReads(self.server)
        for _ in range(2):
            self.assertTrue(reads.is_expensive(data(32 * 1024 - 9)))
        self.assertFalse(reads.is_expensive(data(16_384)))
        self.assertTrue(reads.is_expensive(PING * 200))

    def test_rest_of_an_earlier_read(self) -> None:
        """What is left of a frame counts with what follows it."""
        reads = ExpensiveReads(self.server)
        reads.is_expensive(bytes(64 * 1024))
        self.server.receive_data(PING[:5])
        self.assertFalse(reads.is_expensive(PING[5:] + PING * 100))
        self.assertTrue(reads.is_expensive(PING[5:] + PING * 200))


class HeadTests(ConnectionCase):
    """Time of what has begun and does not end."""

    def setUp(self) -> None:
        super().setUp()
        self.timer = HeadTimer(self.server)

    def take(self, content: bytes, now: float) -> float:
        self.server.receive_data(content)
        return self.timer.elapsed(len(content), now)

    def test_whole_frames(self) -> None:
        """Between whole frames no time runs."""
        for now in (0.0, 5.0, 10.0):
            self.assertEqual(self.take(PING, now), 0.0)

    def test_drip(self) -> None:
        """A frame that comes byte by byte is as old as its first byte."""
        found = [self.take(PING[at : at + 1], float(at)) for at in range(10)]
        self.assertEqual(found, [float(at) for at in range(10)])
        self.assertEqual(self.take(PING[10:], 20.0), 0.0)

    def test_next_frame(self) -> None:
        """When a frame ends and another begins, its time begins anew."""
        self.take(PING[:5], 0.0)
        self.assertEqual(self.take(PING[5:] + PING[:5], 10.0), 0.0)
        self.assertEqual(self.take(PING[5:6], 12.0), 2.0)

    def test_bodies(self) -> None:
        """A body has its own limits, and no time here."""
        self.take(data(100)[:5], 0.0)
        self.assertEqual(self.take(data(100)[5:6], 10.0), 0.0)
