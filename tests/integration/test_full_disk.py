"""A file that cannot grow any more: told to the client at once, and nothing is lost."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from resource import RLIM_INFINITY, RLIMIT_FSIZE, prlimit

from treq.response import _Response as Response

from tests.integration.support import IntegrationCase

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
