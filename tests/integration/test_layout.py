"""One directory, two programs: Debian's docker-registry reads what we write, and we
what it writes."""

from __future__ import annotations

import hashlib
import json
import random

from tests.integration.images import Layout
from tests.integration.support import (
    IntegrationCase,
    Registry,
    free_port,
    require,
    run,
    which,
)

ACCEPT = "application/vnd.oci.image.manifest.v1+json"

#: Shared by the registries of one directory: it signs where an upload goes on.
SECRET = "between us two"

#: Where an upload is broken off; not at the end of a block of the digest.
CUT = 1_234_567


class LayoutTests(IntegrationCase):
    """The tree of distribution 2.8, in both directions."""

    async def make(self) -> tuple[Layout, str]:
        require("skopeo", "docker-registry")
        layout = Layout(self.directory / "images")
        digest = layout.tag("x", layout.image("amd64", 100_000, 50), index=False)
        return layout, digest

    async def push(self, layout: Layout, registry: Registry) -> None:
        await run(
            *(which("skopeo"), "copy", "--dest-tls-verify=false"),
            *(f"oci:{layout.path}:x", f"docker://{registry.host}/team/app:v1"),
        )

    async def pull(self, registry: Registry, digest: str) -> None:
        """Fetch every part by HTTP and check every byte."""
        base = f"{registry.url}/v2/team/app"
        code, headers, body = await self.get(f"{base}/manifests/v1", Accept=ACCEPT)
        self.assertEqual(code, 200, body)
        self.assertEqual("sha256:" + hashlib.sha256(body).hexdigest(), digest)
        document = json.loads(body)
        for part in (document["config"], *document["layers"]):
            code, _, content = await self.get(f"{base}/blobs/{part['digest']}")
            self.assertEqual(code, 200)
            found = "sha256:" + hashlib.sha256(content).hexdigest()
            self.assertEqual(found, part["digest"])
        _, _, listed = await self.get(f"{base}/tags/list")
        self.assertEqual(json.loads(listed)["tags"], ["v1"])

    async def test_we_serve_what_docker_registry_wrote(self) -> None:
        """A directory filled by docker-registry is served as it is."""
        layout, digest = await self.make()
        theirs = await self.debian_registry("shared")
        await self.push(layout, theirs)
        await theirs.process.end()
        ours = await self.daemon("shared")
        await self.pull(ours, digest)

    async def test_docker_registry_serves_what_we_wrote(self) -> None:
        """A directory that our cache filled is served by docker-registry."""
        layout, digest = await self.make()
        upstream = await self.debian_registry()
        await self.push(layout, upstream)
        cache = await self.cache(upstream.url)
        await self.pull(cache, digest)
        await cache.process.end()
        await upstream.process.end()
        theirs = await self.debian_registry("again", root=cache.root)
        await self.pull(theirs, digest)

    async def test_going_back_and_forth_as_a_cache(self) -> None:
        """Both run as the cache of one upstream on one directory, in turn; the state
        file of each is good for the other."""
        layout, digest = await self.make()
        upstream = await self.debian_registry()
        await self.push(layout, upstream)
        proxy = {"remoteurl": upstream.url}
        theirs = await self.debian_registry("cache", merge={"proxy": proxy})
        await self.pull(theirs, digest)
        await theirs.process.end()
        ours = await self.cache(upstream.url)
        await self.pull(ours, digest)
        await ours.process.end()
        state = json.loads((ours.root / "scheduler-state.json").read_text())
        self.assertEqual(len(state), 4, state)
        again = await self.debian_registry("cache", merge={"proxy": proxy})
        await self.pull(again, digest)
        self.assertNotIn("panic", again.process.text())


class UploadTests(IntegrationCase):
    """An upload that one registry began is finished by the other, on one directory."""

    async def begin(self, registry: Registry, content: bytes) -> str:
        """Send the first part; give where to go on, on whichever host."""
        response = await self.http.post(f"{registry.url}/v2/a/b/blobs/uploads/")
        await response.content()
        response = await self.http.patch(
            response.headers.getRawHeaders("location")[0],
            data=content,
            headers={"Content-Type": "application/octet-stream"},
        )
        await response.content()
        self.assertEqual(response.code, 202)
        location = response.headers.getRawHeaders("location")[0]
        return location.removeprefix(registry.url)

    async def finish(self, registry: Registry, location: str, content: bytes) -> None:
        """Send the rest; look at every byte of the whole."""
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        response = await self.http.put(
            f"{registry.url}{location}&digest={digest}",
            data=content[CUT:],
            headers={"Content-Type": "application/octet-stream"},
        )
        self.assertEqual((response.code, await response.content()), (201, b""))
        code, _, found = await self.get(f"{registry.url}/v2/a/b/blobs/{digest}")
        self.assertEqual((code, found == content), (200, True))

    async def ours(self) -> Registry:
        port = free_port()
        http = {"addr": f"127.0.0.1:{port}", "secret": SECRET}
        return await self.daemon("shared", port, {"http": http})

    async def theirs(self) -> Registry:
        port = free_port()
        http = {"addr": f"127.0.0.1:{port}", "secret": SECRET}
        return await self.debian_registry("shared", port, merge={"http": http})

    def states(self) -> list[str]:
        """Give at which offsets the state of the digest is kept."""
        found = (self.directory / "shared").rglob("hashstates/sha256/*")
        return sorted((path.name for path in found), key=int)

    async def test_begun_by_us(self) -> None:
        """docker-registry takes our token, our bytes and our state of the digest."""
        content = random.Random(1).randbytes(3_000_017)
        ours = await self.ours()
        location = await self.begin(ours, content[:CUT])
        self.assertEqual(self.states(), [str(CUT)])
        await ours.process.end()
        await self.finish(await self.theirs(), location, content)

    async def test_begun_by_docker_registry(self) -> None:
        """We take its token, its bytes and its state of the digest."""
        require("docker-registry")
        content = random.Random(2).randbytes(3_000_017)
        theirs = await self.theirs()
        location = await self.begin(theirs, content[:CUT])
        self.assertEqual(self.states(), ["0", str(CUT)])
        await theirs.process.end()
        await self.finish(await self.ours(), location, content)
        self.assertEqual(self.states(), [])
