"""Clients that are sent to the storage: real ones, and what a URL is good for."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from tests.integration.passwords import write_htpasswd
from tests.integration.signed_store import SignedStore, cloudfront, serve_store
from tests.integration.support import (
    Registry,
    free_port,
    require,
    sleep,
    start,
    until,
    which,
)
from tests.integration.test_clients import MULTI, SINGLE, Clients, PullCase

TOP = Path(__file__).parents[2]


class RedirectTests(PullCase):
    """Before a store that wants signed URLs, as CloudFront does."""

    def log(self, registry: Registry) -> list[str]:
        """Give the lines of answers with blobs."""
        lines = registry.process.text().splitlines()
        return [line for line in lines if "/blobs/sha256:" in line and '"GET ' in line]

    def assert_sent_on(self, log: list[str], store: SignedStore) -> None:
        """Every blob came from the store, and was good there."""
        statuses = {line.partition('" ')[2].split()[0] for line in log}
        self.assertEqual(statuses, {"307"})
        self.assertEqual({read.status for read in store.reads} - {200, 206}, set())
        self.assertGreaterEqual(len(store.reads), 20)

    async def test_registry(self) -> None:
        """All clients push to a registry, and pull what the store has."""
        require("skopeo", "podman", "containerd", "ctr", "dockerd")
        layout, *expected = self.make_images()
        store = serve_store(self, self.directory / "registry")
        middleware = cloudfront(store, self.directory, "20m")
        registry = await self.daemon("registry", merge={"middleware": middleware})
        await self.push(layout, registry)
        self.assertEqual({read.method for read in store.reads} - {"HEAD"}, set())
        await self.pull_all(registry, *expected)
        self.assert_sent_on(self.log(registry), store)

    async def test_cache(self) -> None:
        """Of a cache they get what fills from us, then from the store, and offline."""
        require("skopeo", "podman", "containerd", "ctr", "dockerd", "docker-registry")
        layout, *expected = self.make_images()
        upstream = await self.debian_registry()
        await self.push(layout, upstream)
        store = serve_store(self, self.directory / "cache")
        middleware = cloudfront(store, self.directory, "20m")
        cache = await self.cache(upstream.url, merge={"middleware": middleware})
        first = Clients(self, cache)
        self.assertEqual(await first.skopeo(SINGLE), expected[0])
        self.assertEqual(await first.skopeo(MULTI, "--all"), expected[1])
        # Three blobs of one platform, and three and two of two; the log comes after.
        await until(lambda: len(self.log(cache)) >= 8)
        filled = self.log(cache)
        self.assertGreaterEqual(len([line for line in filled if '" 200 ' in line]), 3)
        await upstream.process.end()
        await self.pull_all(cache, *expected)
        self.assert_sent_on(self.log(cache)[len(filled) :], store)


class UrlTests(PullCase):
    """What the URL is good for."""

    async def begin(self, duration: str) -> None:
        """Start a registry with a password, and push a blob."""
        self.store = serve_store(self, self.directory / "registry")
        passwords = self.directory / "htpasswd"
        write_htpasswd(passwords, robot="s3cret")
        merge = {
            "middleware": cloudfront(self.store, self.directory, duration),
            "auth": {"htpasswd": {"realm": "r", "path": str(passwords)}},
        }
        self.registry = await self.daemon("registry", merge=merge)
        self.content = os.urandom(100_000)
        digest = hashlib.sha256(self.content).hexdigest()
        self.blob = f"{self.registry.url}/v2/a/b/blobs/sha256:{digest}"
        start = f"{self.registry.url}/v2/a/b/blobs/uploads/?digest=sha256:{digest}"
        pushed = await self.http.post(start, data=self.content, auth=self.auth)
        self.assertEqual(pushed.code, 201)

    auth = ("robot", "s3cret")

    async def locate(self, method: str = "GET", **headers: str) -> str:
        got = await self.http.request(
            method, self.blob, headers=headers, auth=self.auth, allow_redirects=False
        )
        self.assertEqual((got.code, await got.content()), (307, b""))
        (location,) = got.headers.getRawHeaders("Location")
        return location

    async def test_good_for(self) -> None:
        """One file, whole or in part, and nothing else; only who may gets one."""
        await self.begin("20m")
        url = await self.locate()
        self.assertEqual((await self.get(url))[::2], (200, self.content))
        status, _, part = await self.get(url, Range="bytes=1000-1999")
        self.assertEqual((status, part), (206, self.content[1000:2000]))
        changed = url.replace("/data?", "/other?")
        self.assertEqual((await self.get(changed))[0], 403)
        self.assertEqual((await self.get(url.partition("?")[0]))[0], 403)
        self.assertEqual((await self.http.head(await self.locate("HEAD"))).code, 200)
        refused = await self.http.get(self.blob, allow_redirects=False)
        self.assertEqual(refused.code, 401)
        self.assertIsNone(refused.headers.getRawHeaders("Location"))

    async def test_followed(self) -> None:
        """A client takes its Range along, and leaves its password here."""
        await self.begin("20m")
        got = await self.http.get(
            self.blob, headers={"Range": "bytes=-10"}, auth=self.auth
        )
        self.assertEqual((got.code, await got.content()), (206, self.content[-10:]))
        (read,) = self.store.reads
        self.assertEqual((read.range, read.status), ("bytes=-10", 206))

    async def test_end(self) -> None:
        """After its time it is refused, and the registry gives another one."""
        await self.begin("2s")
        url = await self.locate()
        self.assertEqual((await self.get(url))[0], 200)
        await sleep(3.1)
        self.assertEqual((await self.get(url))[0], 403)
        self.assertEqual((await self.get(await self.locate()))[0], 200)


class NginxTests(PullCase):
    """The middleware ``redirect``, with nginx on the same directory."""

    async def serve(self, root: Path) -> str:
        """Start nginx as ``docs/middleware.md`` has it; give its URL."""
        page = (TOP / "docs" / "middleware.md").read_text()
        found = re.search(r"^```nginx\n(.*?)^```", page, re.M | re.S)
        assert found is not None
        location = found[1].replace("/var/lib/registry", str(root))
        port, path = free_port(), self.directory / "nginx.conf"
        path.write_text(
            f"daemon off;\nmaster_process off;\npid {self.directory}/pid;\n"
            "events {}\nhttp {\n"
            f"access_log {self.directory}/access.log;\n"
            f"client_body_temp_path {self.directory}/body;\n"
            f"proxy_temp_path {self.directory}/proxy;\n"
            f"fastcgi_temp_path {self.directory}/fastcgi;\n"
            f"uwsgi_temp_path {self.directory}/uwsgi;\n"
            f"scgi_temp_path {self.directory}/scgi;\n"
            f"server {{\nlisten 127.0.0.1:{port};\n{location}}}\n}}\n"
        )
        argv = (which("nginx"), "-c", str(path), "-e", f"{self.directory}/error.log")
        process = self.keep(start(*argv))
        await self.wait_for(f"http://127.0.0.1:{port}/", process)
        return f"http://localhost:{port}"

    async def test_nginx(self) -> None:
        """It gives what a registry has stored, whole and in part, and nothing else."""
        require("nginx", "skopeo")
        layout, single, multi, _ = self.make_images()
        root = self.directory / "registry"
        root.mkdir()
        url = await self.serve(root)
        options = {"baseurl": f"{url}/registry"}
        storage = [{"name": "redirect", "options": options}]
        merge = {"middleware": {"storage": storage}}
        registry = await self.daemon("registry", merge=merge)
        await self.push(layout, registry)
        clients = Clients(self, registry)
        self.assertEqual(await clients.skopeo(SINGLE), single)
        self.assertEqual(await clients.skopeo(MULTI, "--all"), multi)
        config = self.read(layout, single)["config"]["digest"]
        blob = f"{registry.url}/v2/{SINGLE}/blobs/{config}"
        whole = (await self.get(blob))[2]
        status, _, part = await self.get(blob, Range="bytes=3-9")
        self.assertEqual((status, part), (206, whole[3:10]))
        self.assertEqual((await self.get(f"{url}/registry/txregistry/secret"))[0], 404)
        given = (self.directory / "access.log").read_text().count('" 200 ')
        self.assertGreaterEqual(given, 5)
