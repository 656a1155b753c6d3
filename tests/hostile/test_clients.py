"""Clients that ask and do not take: what they hold here, and for how long."""

from __future__ import annotations

import os
from typing import Any
from unittest.mock import patch

from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from twisted.internet.task import deferLater

from tests.web.http.limits import LimitCase
from tests.web.http.test_http2 import H2Client, Stream
from txregistry.flow.streams import CHUNK_BYTES
from txregistry.spec.digest import Digest
from txregistry.storagedriver.inmemory import MemoryDriver
from txregistry.web.http.connections import ChannelLimits
from txregistry.web.http.frames import STEP_BYTES, ExpensiveReads
from txregistry.web.http.http2 import RegistryH2Connection


class EagerClient(H2Client):
    """A client that asks before it has heard what it may, and takes nothing."""

    hurries = True

    def flush(self) -> None:
        """Send all at once, when there is no more to be asked."""
        if not self.hurries:
            super().flush()

    def ask(self, *args: Any, **named: Any) -> tuple[int, Stream]:
        """Ask, with a window of nothing."""
        if not self.streams:
            self.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 0})
        return super().ask(*args, **named)


class ClosedWindowTests(LimitCase):
    """Streams of HTTP/2 whose client lets us send nothing."""

    options = {"cleartext_http2": True}
    limits = ChannelLimits(idle_seconds=60.0, stall_seconds=100.0, streams=8)

    def setUp(self) -> None:
        super().setUp()
        self.content = os.urandom(1_300_000)
        path = f"/v2/a/b/blobs/uploads/?digest={Digest.of(self.content)}"
        self.assertEqual(self.house.send("POST", path, self.content).status, 201)
        self.path = f"/v2/a/b/blobs/{Digest.of(self.content)}"
        self.opened: list[str] = []
        reader = MemoryDriver.reader

        def note(driver: MemoryDriver, path: str) -> Any:
            self.opened.append(path)
            return reader(driver, path)

        patcher = patch.object(MemoryDriver, "reader", note)
        patcher.start()
        self.addCleanup(patcher.stop)

    def client(self, window: int) -> H2Client:
        """Give a client whose streams begin with so large a window."""
        client = H2Client(self.house)
        client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: window})
        client.flush()
        client.turn(5)
        return client

    def queued(self) -> int:
        """Count the bytes that wait for windows, of all connections."""
        return sum(
            len(part)
            for channel in self.site.channels
            for queue in channel._outboundStreamQueues.values()
            for part in queue
            if isinstance(part, bytes)
        )

    def ping_on(self, client: H2Client, seconds: int, stream: Stream) -> float:
        """Send a PING each second until a stream is reset; say when it was."""
        for second in range(seconds):
            if stream.reset is not None or client.closed:
                return second
            client.h2.ping(b"12345678")
            client.flush()
            client.wait(1)
        return seconds

    def test_nothing_ahead(self) -> None:
        """While a window is closed, nothing is opened or read for its stream."""
        client = self.client(0)
        for _ in range(8):
            client.ask("GET", self.path)
        client.turn(50)
        self.assertEqual((self.opened, self.queued()), ([], 0))
        self.assertEqual(self.clock.busy(), [])

    def test_opened_by_a_window_update(self) -> None:
        """When the window opens, the answer comes, whole."""
        client = self.client(0)
        number, stream = client.ask("GET", self.path)
        client.turn(10)
        client.h2.increment_flow_control_window(1_400_000)
        client.h2.increment_flow_control_window(1_400_000, number)
        client.flush()
        self.assertEqual(client.settle(stream).body, self.content)

    def test_opened_by_settings(self) -> None:
        """A window that is opened by SETTINGS is open (RFC 9113, 6.9.2)."""
        client = self.client(0)
        _, stream = client.ask("GET", self.path)
        client.turn(10)
        client.h2.increment_flow_control_window(1_400_000)
        client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1_400_000})
        client.flush()
        self.assertEqual(client.settle(stream).body, self.content)

    def test_stall_before_the_first_byte(self) -> None:
        """A stream that never has room is given up, however much its client pings."""
        client = self.client(0)
        _, stream = client.ask("GET", self.path)
        after = self.ping_on(client, 200, stream)
        self.assertEqual(stream.reset, ErrorCodes.CANCEL)
        self.assertTrue(95 <= after <= 105, after)
        self.assertEqual(self.site.active, set())

    def test_stall_in_the_middle(self) -> None:
        """A stream whose client takes a part and no more is given up as well."""
        client = self.client(1000)
        client.reads = False
        _, stream = client.ask("GET", self.path)
        client.turn(50)
        self.assertEqual(len(stream.body), 1000)
        after = self.ping_on(client, 200, stream)
        self.assertEqual(stream.reset, ErrorCodes.CANCEL)
        self.assertTrue(95 <= after <= 105, after)
        self.assertEqual((self.site.active, self.queued()), (set(), 0))
        (exchange,) = self.house.recorder.exchanges[1:]
        self.assertEqual((exchange.status, exchange.sent_bytes), (499, 1000))

    def take(self, client: H2Client, number: int, size: int, seconds: int) -> None:
        """Have room for a little more after some time."""
        client.wait(seconds)
        if client.streams[number].reset is None and not client.closed:
            client.h2.increment_flow_control_window(size, number)
            client.flush()

    def test_taking_some_is_no_stall(self) -> None:
        """A client that takes a little now and then is waited for."""
        client = self.client(1000)
        client.reads = False
        number, stream = client.ask("GET", self.path)
        for _ in range(5):
            self.take(client, number, 10_000, 80)
        client.turn(50)
        self.assertEqual((len(stream.body), stream.reset), (51_000, None))

    def test_taking_next_to_nothing(self) -> None:
        """One that takes less than ``minrate`` all along is given up."""
        client = self.client(1000)
        client.reads = False
        number, stream = client.ask("GET", self.path)
        for _ in range(30):
            self.take(client, number, 1, 9)
        self.assertEqual(stream.reset, ErrorCodes.CANCEL)
        self.assertLess(len(stream.body), 1015)
        self.assertEqual((self.site.active, self.queued()), (set(), 0))

    def test_connection_takes_nothing(self) -> None:
        """However large its windows, little is read for who takes nothing of it."""
        client = self.client(2**31 - 1)
        client.h2.increment_flow_control_window(2**31 - 1 - 65_535)
        client.flush()
        (channel,) = self.site.channels
        channel.pauseProducing()
        streams = [client.ask("GET", self.path)[1] for _ in range(8)]
        client.turn(50)
        self.assertLessEqual(self.queued(), 8 * CHUNK_BYTES)
        channel.resumeProducing()
        bodies = {client.settle(stream).body for stream in streams}
        self.assertEqual(bodies, {self.content})

    def test_frames_are_cut_once(self) -> None:
        """A window of a byte does not have all that waits copied for it."""
        client = self.client(1)
        client.ask("GET", self.path)
        client.turn(50)
        (channel,) = self.site.channels
        (queue,) = channel._outboundStreamQueues.values()
        self.assertLessEqual(max(map(len, queue)), 16 * 1024)

    def test_others_go_on(self) -> None:
        """What one stream does not take ends no other stream."""
        client = self.client(1000)
        client.ask("GET", self.path)
        stalled = client.streams[1]
        self.ping_on(client, 200, stalled)
        _, other = client.ask("GET", "/v2/")
        self.assertEqual(client.settle(other).status, 200)

    def test_ping_is_no_life(self) -> None:
        """A connection that only pings is idle, and ends."""
        client = self.client(1000)
        _, stream = client.ask("GET", "/v2/")
        client.settle(stream)
        after = self.ping_on(client, 200, Stream())
        self.assertTrue(client.closed)
        self.assertLessEqual(after, 65)
        self.assertEqual(self.site.channels, set())

    def test_nothing_is_left(self) -> None:
        """Many connections of closed windows are gone in time, without a trace."""
        clients = [self.client(0) for _ in range(3)]
        for client in clients:
            for _ in range(8):
                client.ask("GET", self.path)
        for _ in range(250):
            for client in clients:
                if not client.closed:
                    client.h2.ping(b"12345678")
                    client.flush()
            clients[0].house.clock.advance(1)
            self.house.pump()
        self.assertNothingIsLeft()
        self.assertEqual(self.opened, [])

    def test_too_many_streams(self) -> None:
        """A stream beyond the limit is refused, so that it may come again."""
        client = EagerClient(self.house)
        asked = [client.ask("GET", self.path)[1] for _ in range(9)]
        client.hurries = False
        client.flush()
        client.turn(1)
        resets = [stream.reset for stream in asked]
        self.assertEqual(resets, [None] * 8 + [ErrorCodes.REFUSED_STREAM])
        self.assertFalse(client.closed)

    def test_streams_are_announced(self) -> None:
        """A client is told how many streams it may have."""
        client = self.client(1000)
        self.assertEqual(client.h2.remote_settings.max_concurrent_streams, 8)

    def test_priorities(self) -> None:
        """Priorities of streams that there are not leave nothing, and end nothing."""
        client = self.client(1000)
        for number in range(1, 4001, 2):
            client.h2.prioritize(number, depends_on=number + 2)
        client.flush()
        _, stream = client.ask("GET", "/v2/")
        self.assertEqual(client.settle(stream).status, 200)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_slow_answer_is_not_idle(self) -> None:
        """A client that waits for us is not idle, and need not ping."""
        client = self.client(1000)
        with patch.object(MemoryDriver, "reader", never_answers(self.clock)):
            _, stream = client.ask("GET", self.path)
            client.wait(150)
        self.assertEqual((client.closed, stream.reset), (False, None))


def never_answers(clock: Any) -> Any:
    """Give a way to open files that takes ten minutes."""
    return lambda driver, path: deferLater(clock, 600, lambda: None)


class SmallFrameTests(LimitCase):
    """Thousands of frames that come together, each of which costs as a large one."""

    options = {"cleartext_http2": True}
    frame = b"\0\0\0\x16\0" + bytes(4)  # of a type that nobody knows

    def setUp(self) -> None:
        super().setUp()
        self.taken: list[int] = []
        take = RegistryH2Connection._receive

        def noted(channel: RegistryH2Connection, data: bytes) -> None:
            self.taken.append(len(data))
            take(channel, data)

        self.patch(RegistryH2Connection, "_receive", noted)
        self.client = H2Client(self.house)

    def test_turns(self) -> None:
        """Others have their turn between them, at the beginning and later."""
        for _ in range(3):
            self.client.send(self.frame * 7000)
            self.client.turn(40)
        self.assertLessEqual(max(self.taken), STEP_BYTES)
        self.assertGreaterEqual(sum(self.taken), 3 * 7000 * 9)
        _, stream = self.client.ask("GET", "/v2/")
        self.assertEqual(self.client.settle(stream).status, 200)

    def test_order(self) -> None:
        """What comes while others have their turn is taken after what came before."""
        self.client.send(self.frame * 7000)
        _, stream = self.client.ask("GET", "/v2/")
        self.assertEqual(self.client.settle(stream).status, 200)

    def test_large_frames(self) -> None:
        """What comes in large frames is taken at once, after the beginning."""
        (channel,) = self.site.channels
        slow = ExpensiveReads(channel.conn)
        large = (b"\0\x40\0" + bytes(6) + bytes(16_384)) * 4
        self.assertTrue(slow.is_expensive(large))
        self.assertFalse(slow.is_expensive(large))
        self.assertFalse(slow.is_expensive(large[:-5_000]))
        self.assertTrue(slow.is_expensive(large + self.frame * 200))
        self.assertFalse(slow.is_expensive(self.frame * 100 + large))

    def test_gone_meanwhile(self) -> None:
        """Who goes while some is held back leaves nothing."""
        self.client.send(self.frame * 7000)
        self.client.hang_up()
        self.client.turn(40)
        self.assertEqual(
            (self.site.channels, self.clock.getDelayedCalls()), (set(), [])
        )
