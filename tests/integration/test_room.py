"""A cache on a small disk that others fill as well, with clients that never notice."""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
from hashlib import sha256
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import SkipTest

from tests.integration.support import IntegrationCase, Registry, run, sleep
from tests.tries import tries
from txregistry.flow.deferred import deferred
from txregistry.storage.tree import layout
from txregistry.testing.upstream import FakeUpstream

MIB = 1024 * 1024

#: How many times as large everything is; ``make drill`` says so.
SCALE = int(os.environ.get("TXREGISTRY_DRILL") or 1)

#: Of the file system, of the cache, and what stays free.
DISK, CAP, FREE = 112 * MIB * SCALE, 40 * MIB * SCALE, 16 * MIB * SCALE

#: Sizes of blobs, and how many there are.
SMALLEST, LARGEST, BLOBS = MIB * SCALE, 4 * MIB * SCALE, 40 * SCALE

#: Links and the last pages of files, and one blob whose last reader is leaving.
MORE = MIB + LARGEST

CLIENTS, PULLS = 8, tries(12)

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def described(content: bytes, kind: str) -> dict[str, Any]:
    digest = "sha256:" + sha256(content).hexdigest()
    return {"mediaType": kind, "digest": digest, "size": len(content)}


class RoomTests(IntegrationCase):
    """Random pulls, readers that are slow, pins, and ballast that comes and goes."""

    timeout = tries(120) * SCALE

    async def mount(self) -> Path:
        """Mount a small file system."""
        if os.geteuid():
            raise SkipTest("only root mounts a file system")
        place = self.directory / "cache"
        place.mkdir()
        try:
            await run("mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(place))
        except AssertionError as error:
            raise SkipTest(f"no file system can be mounted: {error}") from error
        self.addCleanup(run, "umount", "-l", str(place))
        return place

    def fill_upstream(self, upstream: FakeUpstream) -> None:
        chance = random.Random(1)
        self.blobs = {
            str(upstream.add_blob("lib/a", content)): content
            for content in (
                os.urandom(chance.randrange(SMALLEST, LARGEST)) for _ in range(BLOBS)
            )
        }
        self.layers = [os.urandom(2 * MIB) for _ in range(2)]
        for layer in (*self.layers, b"{}"):
            upstream.add_blob("lib/a", layer)
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described(b"{}", "x/config"),
            "layers": [described(layer, "x/layer") for layer in self.layers],
        }
        upstream.add_manifest("lib/a", json.dumps(document).encode(), "pinned")

    async def start(self, url: str, port: int = 0) -> Registry:
        section = {
            "maxsize": str(CAP),
            "minfree": str(FREE),
            "pin": ["lib/a:pinned"],
        }
        return await self.cache(url, port=port, merge={"cache": section}, tagttl="1h")

    def taken(self) -> int:
        """Count what lies in the cache, downloads included.

        The file system tells it for one moment: who walks through the tree meets what
        came while it was walked beside what went. Journals and databases may change
        between the two questions, but hardly twice.
        """
        return min(self.taken_once(), self.taken_once())

    def taken_once(self) -> int:
        found = os.statvfs(self.place)
        used = (found.f_blocks - found.f_bfree) * found.f_frsize
        others = [self.place / "ballast", *self.place.glob("txregistry/*")]
        others += self.place.glob("txregistry/journal/*")
        for path in others:
            with contextlib.suppress(OSError):
                used -= path.lstat().st_blocks * 512
        return used

    def stored(self) -> int:
        """Count what lies in the cache."""
        return self.below(layout.BLOBS)

    def below(self, top: str) -> int:
        found = 0
        for place, _, names in os.walk(self.place / top.lstrip("/")):
            if "data" in names:
                with contextlib.suppress(OSError):  # it was moved or deleted since
                    found += os.stat(f"{place}/data").st_size
        return found

    def free(self) -> int:
        found = os.statvfs(self.place)
        return found.f_bavail * found.f_frsize

    async def pull(self, digest: str) -> None:
        code, _, body = await self.get(f"{self.target}/blobs/{digest}")
        self.assertEqual((code, sha256(body).hexdigest()), (200, digest[7:]))
        self.most = max(self.most, self.taken())
        self.pulls += 1

    @deferred
    async def client(self, number: int) -> None:
        chance = random.Random(number)
        for _ in range(PULLS):
            await self.pull(chance.choice(sorted(self.blobs)))

    @deferred
    async def ballast(self) -> None:
        """Let others take what is free, and give it back, as long as clients pull."""
        path = self.place / "ballast"
        while self.is_pulling:
            with contextlib.suppress(OSError), path.open("wb") as file:
                file.write(bytes(max(0, self.free() - 2 * MIB)))
            await sleep(0.7)
            path.unlink(missing_ok=True)
            await sleep(0.7)

    @deferred
    async def reader(self, digest: str) -> None:
        """Read a stored blob slowly while others pull."""
        content = self.blobs[digest]
        asked = f"GET /v2/lib/a/blobs/{digest} HTTP/1.0\r\nHost: x\r\n\r\n"
        with socket.create_connection(("127.0.0.1", self.port)) as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
            peer.sendall(asked.encode())
            peer.setblocking(False)
            got = b""
            while True:
                try:
                    piece = peer.recv(256 * 1024)
                except BlockingIOError:
                    await sleep(0.02)
                    continue
                if not piece:
                    break
                got += piece
                await sleep(0.1)
        self.assertTrue(got.partition(b"\r\n\r\n")[2] == content)

    async def churn(self) -> None:
        self.is_pulling = True
        slow = sorted(self.blobs)[:2]
        for digest in slow:
            await self.pull(digest)
        clients = gatherResults([self.client(number) for number in range(CLIENTS)])
        others = [self.ballast(), *(self.reader(digest) for digest in slow)]
        try:
            await clients
        finally:
            self.is_pulling = False
        await gatherResults(others)

    async def settled(self, cache: Registry) -> None:
        """Wait until what is free is free again, for some seconds."""
        for _ in range(100):
            if self.free() >= FREE:
                return
            await sleep(0.1)
        raise AssertionError(f"{self.free()} bytes are free: {cache.process.text()}")

    async def measured(self, cache: Registry) -> None:
        """Wait until the metrics have what lies on the disk."""
        found = -1.0
        for _ in range(100):
            with contextlib.suppress(AssertionError):  # not measured yet
                found = await self.metric(cache, "registry_proxy_disk_stored_bytes")
            if found == self.stored():
                return
            await sleep(0.1)
        self.assertEqual(found, self.stored())

    def is_stored(self, content: bytes) -> bool:
        name = sha256(content).hexdigest()
        top = self.place / layout.BLOBS.lstrip("/")
        return (top / "sha256" / name[:2] / name / "data").exists()

    async def pull_pinned(self) -> None:
        accept = {"Accept": MANIFEST}
        code, _, _ = await self.get(f"{self.target}/manifests/pinned", **accept)
        self.assertEqual(code, 200)
        for layer in (*self.layers, b"{}"):
            await self.get(f"{self.target}/blobs/sha256:{sha256(layer).hexdigest()}")

    async def test_small_disk(self) -> None:
        """No pull fails, no byte is wrong, and the cache keeps to its room."""
        self.place = await self.mount()
        upstream, url = self.fake_upstream()
        self.fill_upstream(upstream)
        self.most, self.pulls = 0, 0
        cache = await self.start(url)
        self.port, self.target = cache.port, f"{cache.url}/v2/lib/a"
        await self.pull_pinned()
        await self.churn()
        self.assertEqual(self.pulls, CLIENTS * PULLS + 2)
        self.assertLessEqual(self.most, CAP + MORE)
        await self.settled(cache)
        self.assertTrue(all(map(self.is_stored, self.layers)))
        self.assertGreater(await self.made_room(cache), 0, cache.process.text())
        await self.measured(cache)
        await self.killed(cache, url)

    async def made_room(self, cache: Registry) -> float:
        line = 'registry_proxy_made_room_total{type="blob"'
        return await self.metric(cache, line)

    async def killed(self, cache: Registry, url: str) -> None:
        """Kill it while clients pull; the next one counts right from the start."""
        pulling: list[Deferred[None]] = [self.client(100 + n) for n in range(CLIENTS)]
        await sleep(1.0)
        await cache.process.end("KILL")
        for done in pulling:
            await done.addErrback(lambda _: None)
        cache = await self.start(url, cache.port)
        await self.measured(cache)
        self.assertLessEqual(self.taken(), CAP + MORE)
        await self.pull_pinned()
        self.most = 0
        await gatherResults([self.client(200 + number) for number in range(2)])
        self.assertLessEqual(self.most, CAP + MORE)
        await cache.process.end()
        self.assertNotIn("Traceback", cache.process.text())
