"""The fill with real processes and sockets: one download, many clients."""

from __future__ import annotations

import hashlib
import os
import time
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.protocol import Protocol

from tests.integration.support import IntegrationCase, sleep, until
from txregistry.testing.upstream import Fault

MIB = 1024 * 1024


class Hashing(Protocol):
    """Reads a body, keeping only its digest, its length and the first moment."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()
        self.size = 0
        self.first_at = 0.0
        self.done: Deferred[Any] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.first_at = self.first_at or time.monotonic()
        self.size += len(data)
        self.hash.update(data)

    def connectionLost(self, reason: Any) -> None:
        self.done.callback(None)


class FillTests(IntegrationCase):
    """What clients see of a blob that is on its way."""

    async def fetch(self, url: str, **headers: str) -> Hashing:
        response = await self.http.get(url, headers=headers, unbuffered=True)
        body = Hashing()
        body.code = response.code
        response.deliverBody(body)
        await body.done
        return body

    async def test_32_clients_share_one_download(self) -> None:
        """32 clients on one cold blob of 96 MB cost one GET and little memory."""
        upstream, url = self.fake_upstream()
        digest = upstream.add_blob("big", os.urandom(96 * MIB))
        cache = await self.cache(url, merge={"log": {"accesslog": {"disabled": True}}})
        before = cache.process.resident_bytes()
        target = f"{cache.url}/v2/big/blobs/{digest}"
        bodies = await gatherResults(
            [Deferred.fromCoroutine(self.fetch(target)) for _ in range(32)]
        )
        self.assertEqual({body.hash.hexdigest() for body in bodies}, {digest.hex})
        self.assertEqual(upstream.count("GET", "blobs"), 1)
        grown = cache.process.resident_bytes() - before
        self.assertLess(grown, 64 * MIB)

    async def test_slow_upstream_is_followed(self) -> None:
        """Bytes come as they arrive, ranges as soon as they exist, for everybody."""
        upstream, url = self.fake_upstream()
        upstream.rate = 4 * MIB
        content = os.urandom(8 * MIB)
        digest = upstream.add_blob("slow", content)
        cache = await self.cache(url)
        target = f"{cache.url}/v2/slow/blobs/{digest}"
        first = Deferred.fromCoroutine(self.fetch(target))
        await sleep(0.4)
        code, headers, part = await self.get(target, Range="bytes=1000-1999")
        self.assertEqual((code, part), (206, content[1000:2000]))
        self.assertFalse(first.called, "the range came before the whole")
        second = Deferred.fromCoroutine(self.fetch(target))
        bodies = await gatherResults([first, second])
        self.assertEqual({body.hash.hexdigest() for body in bodies}, {digest.hex})
        self.assertEqual(upstream.count("GET", "blobs"), 1)

    async def test_multi_range_on_a_cold_blob(self) -> None:
        """Several parts of a blob that is not stored cost one download."""
        upstream, url = self.fake_upstream()
        content = os.urandom(3 * MIB)
        digest = upstream.add_blob("parts", content)
        cache = await self.cache(url)
        code, headers, body = await self.get(
            f"{cache.url}/v2/parts/blobs/{digest}", Range="bytes=0-9,2000000-2000009,-5"
        )
        self.assertEqual(code, 206)
        for part in (content[:10], content[2000000:2000010], content[-5:]):
            self.assertIn(b"\r\n\r\n" + part + b"\r\n--", body)
        self.assertEqual(upstream.count("GET", "blobs"), 1)

    async def test_client_that_leaves_disturbs_nobody(self) -> None:
        """A client that goes away leaves the fill running to its end."""
        upstream, url = self.fake_upstream()
        upstream.rate = 4 * MIB
        digest = upstream.add_blob("left", os.urandom(4 * MIB))
        cache = await self.cache(url)
        target = f"{cache.url}/v2/left/blobs/{digest}"
        response = await self.http.get(target, unbuffered=True)
        body = Hashing()
        response.deliverBody(body)
        await sleep(0.2)
        body.transport.loseConnection()
        await body.done
        await until(lambda: upstream.sent_bytes >= 4 * MIB)
        upstream.faults.append(Fault("/v2/", times=1000, status=500))
        again = await self.fetch(target)
        self.assertEqual(again.hash.hexdigest(), digest.hex)
        self.assertEqual(upstream.count("GET", "blobs"), 1)

    async def test_kill_in_mid_fill_costs_only_the_missing_part(self) -> None:
        """After SIGKILL the fill goes on from what was synced."""
        upstream, url = self.fake_upstream()
        upstream.rate = 48 * MIB
        size = 64 * MIB
        digest = upstream.add_blob("killed", os.urandom(size))
        cache = await self.cache(url)
        target = f"/v2/killed/blobs/{digest}"
        broken = Deferred.fromCoroutine(self.fetch(cache.url + target))
        await until(lambda: upstream.sent_bytes > 40 * MIB)
        await cache.process.end("KILL")
        self.assertLess((await broken).size, size)
        upstream.sent_bytes = 0
        cache = await self.cache(url, port=cache.port)
        body = await self.fetch(cache.url + target)
        self.assertEqual(body.hash.hexdigest(), digest.hex)
        resumed = upstream.asked[-1].headers["range"]
        offset = int(resumed.removeprefix("bytes=").rstrip("-"))
        self.assertGreater(offset, 8 * MIB)
        self.assertEqual(upstream.sent_bytes, size - offset)

    async def test_terminate_in_mid_fill_checkpoints(self) -> None:
        """SIGTERM keeps what was fetched; the next process fetches only the rest."""
        upstream, url = self.fake_upstream()
        upstream.rate = 4 * MIB
        digest = upstream.add_blob("ended", os.urandom(12 * MIB))
        cache = await self.cache(url)
        target = f"/v2/ended/blobs/{digest}"
        response = await self.http.get(cache.url + target, unbuffered=True)
        body = Hashing()
        response.deliverBody(body)
        await until(lambda: body.size > MIB)
        body.transport.loseConnection()
        await body.done
        await sleep(0.1)
        await cache.process.end()
        upstream.rate = 0
        cache = await self.cache(url, port=cache.port)
        again = await self.fetch(cache.url + target)
        self.assertEqual(again.hash.hexdigest(), digest.hex)
        self.assertIn("range", upstream.asked[-1].headers)

    async def test_corrupt_upstream_is_never_served_whole(self) -> None:
        """Content that is not what its digest says ends in a broken connection."""
        upstream, url = self.fake_upstream()
        digest = upstream.add_blob("bad", os.urandom(2 * MIB))
        upstream.faults.append(Fault("/blobs/", corrupt=MIB))
        cache = await self.cache(url)
        target = f"{cache.url}/v2/bad/blobs/{digest}"
        body = await self.fetch(target)
        self.assertLess(body.size, 2 * MIB)
        again = await self.fetch(target)
        self.assertEqual(again.hash.hexdigest(), digest.hex)
