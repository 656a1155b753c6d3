"""Requests that are sent without waiting for answers."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from tests.hostile.test_clients_chunks import in_chunks
from tests.web.http.limits import LimitCase
from tests.web.raw import Line
from txregistry.flow.streams import CHUNK_BYTES
from txregistry.spec.digest import Digest
from txregistry.spec.mediatypes import OCI_INDEX
from txregistry.web.http.channels import (
    HEAD_READ_BYTES,
    REQUESTS_PER_TURN,
    RegistryChannel,
)
from txregistry.web.http.connections import ChannelLimits


class PipelineTests(LimitCase):
    """HTTP/1.1, many requests in one read."""

    limits = ChannelLimits(idle_seconds=60.0)

    def setUp(self) -> None:
        super().setUp()
        self.asked: list[str] = []
        self.done: Counter[int] = Counter()
        self.turns = 0
        done = RegistryChannel.requestDone

        def count(channel: RegistryChannel, request: Any) -> None:
            self.asked.append(request.uri.decode())
            self.done[self.turns] += 1
            done(channel, request)

        self.patch(RegistryChannel, "requestDone", count)

    def turn(self, times: int) -> None:
        for _ in range(times):
            self.turns += 1
            self.clock.advance(0.001)
            self.house.pump()

    def gets(self, count: int) -> bytes:
        return b"".join(
            b"GET /v2/a/manifests/t%d HTTP/1.1\r\nHost: x\r\n\r\n" % number
            for number in range(count)
        )

    def assertAllInOrder(self, line: Line, before: int = 0) -> None:
        paths = [f"/v2/a/manifests/t{number}" for number in range(1000)]
        self.assertEqual(self.asked[before:], paths)
        self.assertEqual(len(line.answers()), before + 1000)
        self.assertFalse(line.closed)

    def test_others_get_their_turn(self) -> None:
        """Of many requests a turn takes a few, and all are answered in order."""
        line = self.line().send(self.gets(1000))
        self.turn(200)
        self.assertAllInOrder(line)
        self.assertLessEqual(max(self.done.values()), REQUESTS_PER_TURN)

    def test_after_a_body_in_small_chunks(self) -> None:
        """What comes after a body that is taken in steps comes in its order."""
        content = b"x" * 200
        path = f"/v2/a/b/blobs/uploads/?digest={Digest.of(content)}"
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        line = self.line().send(head.encode())
        line.send(in_chunks(content) + self.gets(1000))
        self.turn(200)
        self.assertAllInOrder(line, before=1)

    def test_the_last_is_cut(self) -> None:
        """Whoever leaves a request unfinished after many is idle, and is let go."""
        line = self.line().send(self.gets(100) + b"GET /v2/ HT")
        self.turn(50)
        self.assertEqual(len(line.answers()), 100)
        line.wait(100)
        self.assertTrue(line.closed)
        self.assertNothingIsLeft()

    def test_client_leaves(self) -> None:
        """A client that goes in between leaves nothing."""
        self.line().send(self.gets(1000)).hang_up()
        self.turn(200)
        self.assertLess(len(self.asked), 1000)
        self.assertNothingIsLeft()


class UnreadTests(LimitCase):
    """A client that asks and takes nothing."""

    limits = ChannelLimits(idle_seconds=60.0)

    def setUp(self) -> None:
        super().setUp()
        self.content = self.put("t", 100_000)

    def put(self, tag: str, size: int) -> bytes:
        """Push a manifest of about so many bytes."""
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [],
            "annotations": {"a": "x" * size},
        }
        content = json.dumps(document).encode()
        path = f"/v2/a/manifests/{tag}"
        put = self.house.send("PUT", path, content, Content_Type=OCI_INDEX)
        self.assertEqual(put.status, 201)
        return content

    def stuck(self) -> tuple[Line, Any, list[bytes]]:
        """Give a client that has enough with each write, and what was written."""
        line = self.line()
        (channel,) = self.site.channels
        held: list[bytes] = []

        def write(data: bytes) -> None:
            held.append(data)
            channel.pauseProducing()  # as a transport says that has enough

        channel.transport.write = write
        return line, channel, held

    def test_answers_wait_to_be_taken(self) -> None:
        """No more is answered than one that waits, and all in the end."""
        line, channel, held = self.stuck()
        get = b"GET /v2/a/manifests/t HTTP/1.1\r\nHost: x\r\n\r\n"
        self.assertLess(len(get) * 50, HEAD_READ_BYTES)
        line.send(get * 50)
        for number in range(1, 51):
            self.clock.advance(5)
            self.assertEqual(b"".join(held).count(self.content), number)
            channel.resumeProducing()
            self.clock.advance(0)
        whole = b"".join(held)
        self.assertEqual(whole.count(self.content), 50)
        self.assertFalse(line.closed)

    def test_long_answers(self) -> None:
        """Of a long manifest a client that takes nothing is given a piece at a time."""
        content = self.put("long", 1_000_000)
        line, channel, held = self.stuck()
        line.send(b"GET /v2/a/manifests/long HTTP/1.1\r\nHost: x\r\n\r\n")
        for number in range(1, 10):
            size = sum(map(len, held))
            self.assertLess(size, number * CHUNK_BYTES + 2000)
            channel.resumeProducing()
            self.clock.advance(0)
        self.assertTrue(b"".join(held).endswith(content))
        self.assertFalse(line.closed)

    def test_leaves_in_the_middle(self) -> None:
        """Who goes in the middle of a long manifest leaves nothing, and no failure."""
        self.put("long", 1_000_000)
        line, _, held = self.stuck()
        line.send(b"GET /v2/a/manifests/long HTTP/1.1\r\nHost: x\r\n\r\n").hang_up()
        self.assertLess(sum(map(len, held)), 2 * CHUNK_BYTES)
        self.assertNothingIsLeft()
        self.assertEqual(self.flushLoggedErrors(), [])
