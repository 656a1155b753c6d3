"""A disk on which no file can grow any more.

Who writes is told at once and loses nothing; who reads does not notice. Limiting the
files of a process is what a full disk is to it, to the byte.
"""

from __future__ import annotations

import json
import os
from hashlib import sha256
from resource import RLIM_INFINITY, RLIMIT_FSIZE, prlimit

from treq.response import _Response as Response

from tests.integration.support import IntegrationCase, Registry, sleep

#: More than the kernel takes from a client before anybody reads.
SIZE = 16 * 1024 * 1024

#: Bytes for which there is room.
ROOM = 3 * 1024 * 1024


class FullDiskTests(IntegrationCase):
    """A daemon whose files are limited fails to write as one on a full disk does."""

    async def test_upload_goes_on_when_there_is_room(self) -> None:
        """A chunk that does not fit is answered 5xx; what came is kept, and goes on."""
        ours = await self.daemon("ours")
        begun = await self.http.post(f"{ours.url}/v2/a/b/blobs/uploads/")
        content = os.urandom(SIZE)
        prlimit(ours.process.pid, RLIMIT_FSIZE, (ROOM, RLIM_INFINITY))
        refused = await self.http.patch(self.location(begun), data=content)
        problem = json.loads(await refused.content())["errors"][0]
        self.assertEqual((refused.code, problem["code"]), (503, "UNAVAILABLE"))

        prlimit(ours.process.pid, RLIMIT_FSIZE, (RLIM_INFINITY, RLIM_INFINITY))
        status = await self.http.get(self.location(begun))
        _, _, last = status.headers.getRawHeaders("Range")[0].partition("-")
        digest = "sha256:" + sha256(content).hexdigest()
        done = await self.http.put(
            f"{self.location(status)}&digest={digest}", data=content[int(last) + 1 :]
        )
        self.assertEqual(done.code, 201, await done.content())
        self.assertGreater(int(last), 0)
        blob = await self.http.get(f"{ours.url}/v2/a/b/blobs/{digest}")
        self.assertTrue(await blob.content() == content)
        await ours.process.end()
        self.assertIn("File too large", ours.process.text())

    def location(self, response: Response) -> str:
        return response.headers.getRawHeaders("Location")[0]

    async def test_miss_without_room(self) -> None:
        """What a cache cannot keep comes from the upstream, be it only the rest."""
        upstream, url = self.fake_upstream()
        content = os.urandom(SIZE)
        digest = upstream.add_blob("a", content)
        cache = await self.cache(url)
        target = f"{cache.url}/v2/a/blobs/{digest}"
        for room in (ROOM, 512):
            prlimit(cache.process.pid, RLIMIT_FSIZE, (room, RLIM_INFINITY))
            code, _, body = await self.get(target)
            self.assertEqual((code, body == content), (200, True))
        self.assertEqual(list((cache.root / "txregistry/fills").rglob("data")), [])
        self.assertIn("File too large", cache.process.text())

    async def test_miss_that_is_refused(self) -> None:
        """By configuration it is an error that says so, and comes with room."""
        upstream, url = self.fake_upstream()
        content = os.urandom(SIZE)
        digest = upstream.add_blob("a", content)
        cache = await self.cache(url, merge={"cache": {"onfull": "refuse"}})
        target = f"{cache.url}/v2/a/blobs/{digest}"
        prlimit(cache.process.pid, RLIMIT_FSIZE, (512, RLIM_INFINITY))
        code, _, body = await self.get(target)
        self.assertEqual(code, 503, body[:1000])
        self.assertEqual(json.loads(body)["errors"][0]["code"], "UNAVAILABLE")
        prlimit(cache.process.pid, RLIMIT_FSIZE, (RLIM_INFINITY, RLIM_INFINITY))
        for _ in range(100):
            code, _, body = await self.get(target)
            if code == 200:
                break
            await sleep(0.2)
        self.assertEqual((code, body == content), (200, True))


NAME = "a/b"
HIT = "txregistry; hit"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"

#: No file can be longer than the head of a journal, which a full disk lets us write
#: over: not one page of a database can be written.
FULL = (512, RLIM_INFINITY)
LIMITED = ("/usr/bin/prlimit", "--fsize=512")


def digest_of(content: bytes) -> str:
    return "sha256:" + sha256(content).hexdigest()


def described(content: bytes, kind: str) -> dict[str, object]:
    return {"mediaType": kind, "digest": digest_of(content), "size": len(content)}


class ReadTests(IntegrationCase):
    """Nobody needs room on the disk to read what is there."""

    def make(self) -> None:
        """Make an image and something that refers to it."""
        kind = "application/vnd.oci.image"
        self.blobs = [b"{}", os.urandom(300_000)]
        image: dict[str, object] = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described(self.blobs[0], f"{kind}.config.v1+json"),
            "layers": [described(self.blobs[1], f"{kind}.layer.v1.tar")],
        }
        self.image = json.dumps(image).encode()
        about = {"subject": described(self.image, MANIFEST), "artifactType": "x/sig"}
        self.signature = json.dumps(image | about).encode()

    async def push(self, registry: Registry) -> None:
        base = f"{registry.url}/v2/{NAME}"
        kind = {"Content-Type": ["application/octet-stream"]}
        for blob in self.blobs:
            url = f"{base}/blobs/uploads/?digest={digest_of(blob)}"
            pushed = await self.http.post(url, data=blob, headers=kind)
            self.assertEqual(pushed.code, 201, await pushed.content())
        kind = {"Content-Type": [MANIFEST]}
        named = [(tag, self.image) for tag in ("v1", "v2", "latest")]
        for reference, content in (
            *named,
            (digest_of(self.signature), self.signature),
        ):
            url = f"{base}/manifests/{reference}"
            put = await self.http.put(url, data=content, headers=kind)
            self.assertEqual(put.code, 201, await put.content())

    async def answers(self, registry: Registry) -> dict[str, bytes]:
        """Ask for everything, by GET and HEAD; give the bodies."""
        base = f"{registry.url}/v2/{NAME}"
        urls = [
            f"{base}/tags/list",
            f"{base}/tags/list?n=2",
            f"{registry.url}/v2/_catalog",
            f"{base}/referrers/{digest_of(self.image)}",
            f"{base}/manifests/v1",
            f"{base}/manifests/{digest_of(self.image)}",
            *(f"{base}/blobs/{digest_of(blob)}" for blob in self.blobs),
        ]
        found = {}
        for url in urls:
            code, _, body = await self.get(url, Accept=MANIFEST)
            self.assertEqual(code, 200, (url, body))
            head = await self.http.head(url, headers={"Accept": [MANIFEST]})
            self.assertEqual(head.code, 200, url)
            found[url.partition("/v2/")[2]] = body
        return found

    def fill(self, registry: Registry) -> None:
        prlimit(registry.process.pid, RLIMIT_FSIZE, FULL)

    async def test_registry(self) -> None:
        """A registry answers all that it did, before it is asked and after."""
        self.make()
        listener = {"endpoints": [{"name": "x", "url": "http://127.0.0.1:9/"}]}
        ours = await self.daemon("ours", merge={"notifications": listener})
        await self.push(ours)
        self.fill(ours)
        # The first question of this process: the index knows nothing of the tree.
        found = await self.answers(ours)
        self.assertEqual(await self.answers(ours), found)
        prlimit(ours.process.pid, RLIMIT_FSIZE, (RLIM_INFINITY, RLIM_INFINITY))
        self.assertEqual(await self.answers(ours), found)

    async def test_started_on_a_full_disk(self) -> None:
        """A registry starts, serves what is there, and refuses what would be new."""
        self.make()
        ours = await self.daemon("ours")
        await self.push(ours)
        found = await self.answers(ours)
        await ours.process.end()
        full = await self.daemon("ours", ours.port, wrapper=LIMITED)
        self.assertEqual(await self.answers(full), found)
        new = os.urandom(1000)
        url = f"{full.url}/v2/{NAME}/blobs/uploads/?digest={digest_of(new)}"
        kind = {"Content-Type": ["application/octet-stream"]}
        refused = await self.http.post(url, data=new, headers=kind)
        self.assertEqual(refused.code, 503, await refused.content())

    async def until_stored(self, cache: Registry) -> None:
        """Wait for what is stored when its last reader has it already."""
        for blob in self.blobs:
            url = f"{cache.url}/v2/{NAME}/blobs/{digest_of(blob)}"
            while (await self.get(url))[1].getRawHeaders("Cache-Status") != [HIT]:
                await sleep(0.05)

    async def test_cache(self) -> None:
        """A cache gives what it has, also when it was started so and is alone."""
        self.make()
        upstream = await self.daemon("upstream")
        await self.push(upstream)
        cache = await self.cache(upstream.url, tagttl="0s")
        pulled = (f"{NAME}/manifests/v1", f"{NAME}/blobs/")
        await self.answers(cache)
        await self.until_stored(cache)
        found = await self.answers(cache)
        self.fill(cache)
        self.assertEqual(await self.answers(cache), found)
        await cache.process.end()
        cache = await self.cache(
            upstream.url, port=cache.port, wrapper=LIMITED, tagttl="0s"
        )
        self.assertEqual(await self.answers(cache), found)
        await upstream.process.end()
        for url, body in found.items():
            if url.startswith(pulled):
                got = await self.get(f"{cache.url}/v2/{url}", Accept=MANIFEST)
                self.assertEqual((got[0], got[2]), (200, body), url)
