"""What we rely on of h2, which promises nothing about it: our limits depend on it."""

from __future__ import annotations

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.exceptions import ProtocolError
from twisted.trial.unittest import SynchronousTestCase

from txregistry.web.http.h2_private import (
    data_frames,
    ignore_content_length,
    is_in_head,
    is_open,
    limit_header_list,
    partial_frame,
)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD = [(":method", "PUT"), (":path", "/"), (":scheme", "http"), (":authority", "x")]


class Pair(SynchronousTestCase):
    """A client and a server, with nothing between them."""

    def setUp(self) -> None:
        self.client = H2Connection(H2Configuration())
        self.server = H2Connection(H2Configuration(client_side=False))
        self.server.initiate_connection()
        self.client.initiate_connection()
        self.server.receive_data(self.client.data_to_send())

    def pass_on(self) -> None:
        """Let the server take what the client has to say."""
        self.server.receive_data(self.client.data_to_send())

    def ask(self, *headers: tuple[str, str], ends: bool = False) -> None:
        """Let the client begin a request."""
        self.client.send_headers(1, HEAD + list(headers), end_stream=ends)


class FrameTests(Pair):
    """What has begun and is not whole."""

    def test_unfinished(self) -> None:
        """A frame is there to the byte, and gone when it is whole."""
        self.assertEqual(bytes(partial_frame(self.server)), b"")
        self.client.ping(b"01234567")
        frame = self.client.data_to_send()
        for size in range(1, len(frame)):
            self.server.receive_data(frame[size - 1 : size])
            self.assertEqual(
                bytes(partial_frame(self.server)),
                frame[:size],
                "long frames are kept without a limit, and slow ones without an end",
            )
        self.server.receive_data(frame[-1:])
        self.assertEqual(bytes(partial_frame(self.server)), b"")

    def test_preface(self) -> None:
        """A preface that has begun is a head."""
        server = H2Connection(H2Configuration(client_side=False))
        server.initiate_connection()
        self.assertTrue(is_in_head(server))
        server.receive_data(PREFACE[:-1])
        self.assertTrue(is_in_head(server), "a preface may take for ever")
        server.receive_data(PREFACE[-1:])
        self.assertFalse(is_in_head(server))

    def test_head_of_several_frames(self) -> None:
        """A head goes on until its last frame."""
        self.ask(("x-long", "é" * 20_000))
        frames = self.client.data_to_send()
        first = 9 + int.from_bytes(frames[:3], "big")
        self.assertLess(first, len(frames))
        self.server.receive_data(frames[:first])
        self.assertTrue(is_in_head(self.server), "a head may take for ever")
        self.assertEqual(bytes(partial_frame(self.server)), b"")
        self.server.receive_data(frames[first:])
        self.assertFalse(is_in_head(self.server))

    def test_limit_of_frames(self) -> None:
        """What is permitted is known, as a frame is refused before it is whole."""
        self.assertEqual(self.server.max_inbound_frame_size, 16 * 1024)


class StreamTests(Pair):
    """What h2 thinks of a request."""

    def test_limit_of_heads(self) -> None:
        """A head that is longer than we take is refused."""
        limit_header_list(self.server, 1000)
        self.ask(("x-long", "x" * 900))
        with self.assertRaises(ProtocolError, msg="heads have no limit"):
            self.pass_on()

    def test_length_that_counts(self) -> None:
        """A body that is shorter than said ends the connection."""
        self.ask(("content-length", "10"))
        self.client.send_data(1, b"short", end_stream=True)
        self.assertRaises(ProtocolError, self.pass_on)

    def test_length_that_does_not(self) -> None:
        """It does not when the request has been answered."""
        self.ask(("content-length", "10"))
        self.pass_on()
        ignore_content_length(self.server, 1)
        self.client.send_data(1, b"short", end_stream=True)
        self.pass_on()

    def test_frames(self) -> None:
        """Frames that are made at once are those that h2 makes one by one."""
        self.ask(ends=True)
        self.pass_on()
        pieces = [b"a" * 10, b"b" * 16_384, b"c"]
        self.server.send_headers(1, [(":status", "200")])
        window = self.server.local_flow_control_window(1)
        self.client.receive_data(data_frames(self.server, 1, pieces[:2]))
        self.assertEqual(self.server.data_to_send(), b"")
        self.server.send_data(1, pieces[2])
        made = data_frames(self.server, 1, pieces)
        for piece in pieces:
            self.server.send_data(1, piece)
        waiting = self.server.data_to_send()
        self.assertEqual(made[-len(waiting) :], waiting)
        events = self.client.receive_data(made + waiting)
        came = b"".join(event.data for event in events)
        self.assertEqual(came, b"c" + 2 * b"".join(pieces))
        sent = 3 * sum(map(len, pieces))
        self.assertEqual(self.server.local_flow_control_window(1), window - sent)
        self.assertEqual(
            self.client.streams[1].inbound_flow_control_window, window - sent
        )

    def test_open(self) -> None:
        """A stream is open until both sides have ended it."""
        self.assertFalse(is_open(self.server, 1))
        self.ask()
        self.pass_on()
        self.assertTrue(is_open(self.server, 1))
        self.server.send_headers(1, [(":status", "200")], end_stream=True)
        self.assertTrue(is_open(self.server, 1), "late bodies are not dropped")
        self.client.end_stream(1)
        self.pass_on()
        self.assertFalse(is_open(self.server, 1))
