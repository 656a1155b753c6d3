"""Bodies of HTTP/2 on their way to clients that may not read."""

from __future__ import annotations

import os
from typing import Any

from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from tests.web.http.test_http2 import CleartextCase, H2Client
from txregistry.flow.streams import HELD
from txregistry.spec.digest import Digest


class SendingTests(CleartextCase):
    """Windows, and streams in their turns."""

    def test_client_that_does_not_read(self) -> None:
        """A client whose window is full is waited for, not asked again and again.

        What was read for it counts as held until it hangs up.
        """
        before = HELD.held
        client, _, _ = self.fill_window(700_000)
        self.assertEqual(self.clock.busy(), [])
        self.assertGreater(HELD.held, before)
        client.hang_up()
        self.assertEqual(HELD.held, before)

    def test_client_that_reads_again(self) -> None:
        """When there is room in the window again, the answer goes on."""
        client, number, content = self.fill_window(700_000)
        self.assertEqual(client.read_again(number).body, content)

    def test_window_and_reset_at_once(self) -> None:
        """A client that opens windows and leaves a stream gets the other one."""
        client, first, content = self.fill_window(700_000)
        digest = Digest.of(content)
        second, other = client.ask("GET", f"/v2/a/b/blobs/{digest}")
        client.turn(5)
        client.reads = True
        client.h2.increment_flow_control_window(2**20)
        client.h2.increment_flow_control_window(2**20, first)
        client.h2.reset_stream(first, ErrorCodes.CANCEL)
        client.h2.increment_flow_control_window(2**20, second)
        client.flush()
        self.assertEqual(client.settle(other).body, content)
        third, last = client.ask("GET", f"/v2/a/b/blobs/{digest}")
        self.assertEqual(client.settle(last).body, content)

    def test_fault_while_bytes_are_processed(self) -> None:
        """What goes wrong then does not keep the sender waiting for ever."""
        client, _, _ = self.fill_window(700_000)
        (channel,) = self.site.channels
        connection = channel._chosen if hasattr(channel, "_chosen") else channel

        def fail(event: Any) -> None:
            connection.wake_sender()
            raise ZeroDivisionError

        self.patch(connection, "window_updated", fail)
        client.h2.increment_flow_control_window(1000)
        wire = client.h2.data_to_send()
        self.assertRaises(ZeroDivisionError, connection.dataReceived, wire)
        self.clock.advance(0)
        self.clock.advance(0)
        self.assertEqual(self.clock.busy(), [])

    def test_small_answer_beside_large_ones(self) -> None:
        """On a connection that is full, a new stream is served before the old ones end.

        The connection takes one write in a turn here.
        """
        content = os.urandom(3_000_000)
        client = H2Client(self.house)
        digest, _, _ = self.push(client, content)
        small, _, _ = self.push(client, os.urandom(50_000))
        client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 2**24})
        client.h2.increment_flow_control_window(2**24)
        client.flush()
        (channel,) = self.site.channels
        connection = channel._chosen if hasattr(channel, "_chosen") else channel
        write = connection.transport.write

        def full(data: bytes) -> None:
            write(data)
            connection.pauseProducing()
            self.clock.callLater(0.001, connection.resumeProducing)

        self.patch(connection.transport, "write", full)
        _, large = client.ask("GET", f"/v2/a/b/blobs/{digest}")
        client.turn(3)
        _, other = client.ask("GET", f"/v2/a/b/blobs/{small}")
        client.settle(other)
        self.assertEqual(len(other.body), 50_000)
        self.assertFalse(large.ended)
