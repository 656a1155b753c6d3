"""Two nodes of one cache on a bucket of Ceph and one redis."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import gatherResults

from tests.integration.support import until
from tests.integration.test_fill import MIB
from tests.integration.test_nodes import CLIENTS, NodeCase
from tests.integration.test_s3 import S3Case


class S3NodeTests(NodeCase, S3Case):
    """What nodes on a directory promise as well."""

    async def begin(self) -> tuple[Any, list[Any]]:
        await self.bucket()
        upstream, url = self.fake_upstream()
        return upstream, await self.nodes(url)

    def storage(self) -> dict[str, Any]:
        return {"s3": self.store.section(self.name)}

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
