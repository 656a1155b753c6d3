"""Bodies in the smallest pieces there are: what they cost, and whom."""

from __future__ import annotations

from collections import Counter
from typing import Any
from unittest.mock import patch

from twisted.web import http

from tests.web.http.limits import LimitCase
from tests.web.http.test_http2 import H2Client
from tests.web.raw import Line
from txregistry.auth.silly import SillyAccess
from txregistry.spec.digest import Digest
from txregistry.web.http import body_request, late_bodies, request
from txregistry.web.http.body import Body
from txregistry.web.http.connections import ChannelLimits
from txregistry.web.http.frames import STEP_BYTES

#: Less than in use, so that the smallest pieces reach it soon.
DROPPED_BYTES = 128 * 1024

#: More than this no turn may take apart: about 20 ms of work.
CHUNKS_PER_TURN = 4000

Decoder: Any = vars(http)["_ChunkedTransferDecoder"]


def in_chunks(content: bytes) -> bytes:
    """Give a body in chunks of one byte each."""
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in content)
    return chunks + b"0\r\n\r\n"


class SmallChunkTests(LimitCase):
    """HTTP/1.1: chunks of one byte, counted per turn of the reactor."""

    limits = ChannelLimits()

    def setUp(self) -> None:
        super().setUp()
        self.chunks: Counter[float] = Counter()
        self.pieces: list[int] = []
        take_chunk, give = Decoder._dataReceived_BODY, Body._deliver

        def count_chunk(decoder: Any) -> Any:
            self.chunks[self.clock.seconds()] += 1
            return take_chunk(decoder)

        def count_piece(body: Body, data: bytes) -> None:
            self.pieces.append(len(data))
            give(body, data)

        for patcher in (
            patch.object(Decoder, "_dataReceived_BODY", count_chunk),
            patch.object(Body, "_deliver", count_piece),
        ):
            patcher.start()
            self.addCleanup(patcher.stop)

    def post(self, content: bytes, after: bytes = b"") -> Line:
        """Upload something in chunks of one byte, all in one read."""
        path = f"/v2/a/b/blobs/uploads/?digest={Digest.of(content)}"
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        line = self.line()
        line.send(head.encode())
        return line.send(in_chunks(content) + after)

    def turn(self, times: int = 200) -> None:
        """Let the reactor turn, and all bytes move in between."""
        for _ in range(times):
            self.clock.advance(0.001)
            self.house.pump()

    def test_whole(self) -> None:
        """What comes in small chunks is taken as it is."""
        content = bytes(range(256)) * 400
        line = self.post(content)
        self.turn()
        self.assertEqual([answer.status for answer in line.answers()], [201])
        got = self.house.send("GET", f"/v2/a/b/blobs/{Digest.of(content)}")
        self.assertEqual(got.body, content)

    def test_work_of_a_turn(self) -> None:
        """No turn takes more than a few thousand chunks apart."""
        self.post(b"x" * 100_000)
        self.turn()
        self.assertEqual(self.chunks.total(), 100_000)
        self.assertLess(max(self.chunks.values()), CHUNKS_PER_TURN)

    def test_pieces(self) -> None:
        """What one read brings is one piece for whoever takes the body."""
        self.post(b"x" * 100_000)
        self.turn()
        self.assertEqual(sum(self.pieces), 100_000)
        self.assertLess(len(self.pieces), 100)

    def test_others_in_between(self) -> None:
        """Others are answered before a body in small chunks is taken apart."""
        slow = self.post(b"x" * 100_000)
        other = self.line().send(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual([answer.status for answer in other.answers()], [200])
        self.assertEqual(slow.received, b"")

    def test_request_after_it(self) -> None:
        """What comes after such a body is the next request, once it has ended."""
        after = b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"
        line = self.post(b"x" * 50_000, after)
        self.turn()
        self.assertEqual([answer.status for answer in line.answers()], [201, 200])

    def test_more_while_it_waits(self) -> None:
        """What comes while a part is held back comes after that part."""
        content = b"abcdefgh" * 5000
        whole = in_chunks(content)
        path = f"/v2/a/b/blobs/uploads/?digest={Digest.of(content)}"
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        line = self.line()
        line.send(head.encode()).send(whole[:120_001])
        line.send(whole[120_001:])
        self.turn()
        self.assertEqual([answer.status for answer in line.answers()], [201])

    def test_client_leaves(self) -> None:
        """A client that goes while a part is held back leaves nothing."""
        line = self.post(b"x" * 100_000)
        line.hang_up()
        self.turn()
        self.assertEqual(self.clock.busy(), [])
        self.assertEqual((self.site.active, self.site.channels), (set(), set()))

    def test_refused(self) -> None:
        """Of a body that is refused, so much is read as it is on the wire."""
        self.house.controller = SillyAccess("r", "s")
        self.serve()
        self.patch(request, "MAX_DROPPED_BYTES", DROPPED_BYTES)
        self.patch(body_request, "MAX_DROPPED_BYTES", DROPPED_BYTES)
        line = self.post(b"x" * 90_000)
        self.turn()
        self.assertEqual([answer.status for answer in line.answers()], [401])
        self.assertLess(self.chunks.total(), DROPPED_BYTES / 4)
        self.assertLess(max(self.chunks.values()), CHUNKS_PER_TURN)

    def test_large_chunks(self) -> None:
        """Chunks of the usual size are taken in one turn, all that came."""
        content = bytes(range(256)) * 4096
        parts = [content[at : at + 32768] for at in range(0, len(content), 32768)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
        path = f"/v2/a/b/blobs/uploads/?digest={Digest.of(content)}"
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        line = self.line().send(head.encode()).send(body + b"0\r\n\r\n")
        self.turn(20)
        self.assertEqual([answer.status for answer in line.answers()], [201])


class SmallFrameTests(LimitCase):
    """HTTP/2: frames of one byte."""

    options = {"cleartext_http2": True}
    limits = ChannelLimits()

    def test_joined(self) -> None:
        """What one read brings of a body is one piece."""
        pieces: list[int] = []
        give = Body._deliver

        def count_piece(body: Body, data: bytes) -> None:
            pieces.append(len(data))
            give(body, data)

        content = b"x" * 5000
        client = H2Client(self.house)
        path = f"/v2/a/b/blobs/uploads/?digest={Digest.of(content)}"
        number, stream = client.ask("POST", path, end=False)
        with patch.object(Body, "_deliver", count_piece):
            for at in range(len(content)):
                client.h2.send_data(number, content[at : at + 1])
            client.h2.end_stream(number)
            client.flush()
            client.settle(stream)
        self.assertEqual((stream.status, sum(pieces)), (201, 5000))
        self.assertLessEqual(len(pieces), 5000 * 10 / STEP_BYTES + 1)

    def test_late(self) -> None:
        """Of a body that came too late, frames count as they are on the wire."""
        self.patch(late_bodies, "MAX_DROPPED_BYTES", DROPPED_BYTES)
        self.patch(body_request, "MAX_DROPPED_BYTES", DROPPED_BYTES)
        self.house.controller = SillyAccess("r", "s")
        self.serve()
        client = H2Client(self.house)
        path = f"/v2/a/b/blobs/uploads/?digest={Digest.of(b'')}"
        number, stream = client.ask("POST", path, end=False)
        client.settle(stream, 0.5)
        frame = b"\0\0\1\0\0" + number.to_bytes(4, "big") + b"x"
        sent = 0
        while stream.reset is None and sent < 40_000:
            client.transport.write(frame * 1000)
            client.flush()
            client.turn(10)
            sent += 1000
        self.assertLess(sent, DROPPED_BYTES / 9 + 1000)
