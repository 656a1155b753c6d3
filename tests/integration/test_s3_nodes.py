"""Two nodes of one cache on a bucket of Ceph and one redis."""

from __future__ import annotations

from typing import Any

from tests.integration.test_nodes import NodeCase, NodePromises
from tests.integration.test_s3 import S3Case


class S3NodeTests(NodePromises, NodeCase, S3Case):
    """What nodes on a directory promise as well."""

    async def begin(self) -> tuple[Any, list[Any]]:
        await self.bucket()
        return await super().begin()

    def storage(self) -> dict[str, Any]:
        return {"s3": self.store.section(self.name)}
