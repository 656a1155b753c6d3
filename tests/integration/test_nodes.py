"""Two nodes of one cache: one directory, one redis, one upstream."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from tests.integration.support import Registry, sleep, until
from tests.integration.test_fill import MIB, Hashing
from tests.integration.test_redis import RedisCase
from txregistry.testing.repositories import image_manifest

#: As many as there are in a rack that starts at once.
CLIENTS = 16


class NodeCase(RedisCase):
    """Nodes, and clients that try again as container engines do."""

    def storage(self) -> dict[str, Any]:
        root = str(self.directory / "shared")
        return {"filesystem": {"rootdirectory": root, "shared": True}}

    async def node(self, name: str, url: str) -> Registry:
        directory = self.directory / f"state-{name}"
        directory.mkdir()
        merge = {
            "storage": {
                **self.storage(),
                "cache": {"blobdescriptor": "redis"},
                "statedirectory": str(directory),
            },
            "redis": {"addr": f"127.0.0.1:{self.port}", "readtimeout": "500ms"},
            "proxy": {"remoteurl": url, "ttl": "720h"},
        }
        env = {"NO_PROXY": "*", "REGISTRY_HTTP_SECRET": "of all nodes"}
        return await self.daemon(name, merge=merge, env=env)

    async def nodes(self, url: str) -> list[Registry]:
        await self.start_redis()
        found = [await self.node(name, url) for name in ("one", "two")]
        for _ in range(1200):
            clients = await self.cli("client", "list")
            if len(clients.splitlines()) >= 5:  # two each, and the one that asks
                return found
            await sleep(0.05)
        raise AssertionError(clients)

    async def fetch(self, *urls: str) -> Hashing:
        """Fetch from the first one that gives a whole body."""
        for url in urls:
            body = Hashing()
            try:
                response = await self.http.get(url, unbuffered=True)
            except Exception:
                continue
            response.deliverBody(body)
            await body.done
            body.code = response.code
            if body.code == 200 and f":{body.hash.hexdigest()}" in url:
                return body
        raise AssertionError(f"{body.code} after {body.size} bytes")

    def pull(self, nodes: Sequence[Registry], path: str) -> Deferred[Hashing]:
        """Pull from the first node, and where it fails from the others."""
        urls = [f"{node.url}{path}" for node in nodes]
        return Deferred.fromCoroutine(self.fetch(*urls))


class NodePromises:
    """What clients see, whichever node they ask and wherever the storage is."""

    async def begin(self) -> tuple[Any, list[Registry]]:
        """Start an upstream and two nodes."""
        upstream, url = self.fake_upstream()
        return upstream, await self.nodes(url)

    async def test_one_download(self) -> None:
        """Clients of both nodes on one cold blob cost one download."""
        upstream, nodes = await self.begin()
        digest = upstream.add_blob("big", os.urandom(32 * MIB))
        path = f"/v2/big/blobs/{digest}"
        await gatherResults([self.pull([node], path) for node in nodes * CLIENTS])
        self.assertEqual(upstream.count("GET", "/blobs/"), 1)

    async def test_a_node_is_killed(self) -> None:
        """Its clients try again at the other one, and get all."""
        upstream, (one, two) = await self.begin()
        upstream.rate = 8 * MIB
        digest = upstream.add_blob("big", os.urandom(16 * MIB))
        path = f"/v2/big/blobs/{digest}"
        asked = [self.pull([one, two], path) for _ in range(4)]
        await until(lambda: upstream.sent_bytes >= 2 * MIB)
        asked += [self.pull([two], path) for _ in range(4)]
        await one.process.end("KILL")
        await gatherResults(asked)
        self.assertEqual(upstream.count("GET", "/blobs/"), 2)


class NodeTests(NodePromises, NodeCase):
    """On a shared directory."""

    async def test_redis_stops_hangs_and_forgets(self) -> None:
        """No pull fails meanwhile, and none takes longer than redis may."""
        upstream, nodes = await self.begin()
        assert self.redis is not None
        await self.pull_new(upstream, nodes)
        self.redis.transport.signalProcess(signal.SIGSTOP)
        await self.pull_new(upstream, nodes)
        self.redis.transport.signalProcess(signal.SIGCONT)
        await self.pull_new(upstream, nodes)
        await self.cli("flushall")
        await self.pull_new(upstream, nodes)
        await self.redis.end("KILL")
        await self.pull_new(upstream, nodes)
        await self.start_redis()
        await self.pull_new(upstream, nodes)

    async def pull_new(self, upstream: Any, nodes: list[Registry]) -> None:
        """Pull a new image from both nodes at once, then again."""
        name = f"a/{len(upstream.asked)}"
        digest = upstream.add_blob(name, os.urandom(MIB))
        manifest = upstream.add_manifest(name, image_manifest(note=name), "v1")
        paths = f"/v2/{name}/blobs/{digest}", f"/v2/{name}/manifests/{manifest}"
        for _ in range(2):
            await gatherResults(
                [self.pull([node], path) for node in nodes for path in paths]
            )
        for node in nodes:
            code, headers, _ = await self.get(f"{node.url}/v2/{name}/manifests/v1")
            self.assertEqual(code, 200)
            (found,) = headers.getRawHeaders("docker-content-digest")
            self.assertEqual(found, str(manifest))
