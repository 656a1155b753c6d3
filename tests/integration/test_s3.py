"""Daemons on an object store: Ceph with its S3 gateway."""

from __future__ import annotations

import contextlib
import hashlib
import os
import uuid
from typing import Any
from urllib.parse import urlsplit

from twisted.internet import reactor

from tests.integration.ceph import shared_ceph
from tests.integration.faults import INTERNAL, SLOW_DOWN, Faults
from tests.integration.images import Layout
from tests.integration.store import ObjectStore
from tests.integration.support import (
    IntegrationCase,
    Registry,
    free_port,
    require,
    run,
    sleep,
    which,
)
from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.driver import PathNotFound
from txregistry.storagedriver.s3.make import make_s3

MIB = 1024 * 1024

#: A process that pushes or pulls a gigabyte has to stay below 150 MB.
MAX_RESIDENT_BYTES = 150 * 1000 * 1000

ENVIRONMENT = {"NO_PROXY": "*", "REGISTRY_HTTP_SECRET": "the same for all"}


def sha(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


class S3Case(IntegrationCase):
    """A bucket, and registries on it."""

    def shared_store(self) -> ObjectStore:
        """Give the server that has the bucket, or skip the test."""
        return shared_ceph()

    async def bucket(self) -> None:
        self.store = self.shared_store()
        self.name = f"b-{uuid.uuid4()}"
        driver = make_s3(self.store.section(self.name), InlineDisk(), reactor)
        driver.connect(reactor)
        await self.store.make_bucket(driver)
        self.driver = driver
        self.addCleanup(driver.disconnect)

    def settings(self, **s3: Any) -> dict[str, Any]:
        section = {**self.store.section(self.name), **s3}
        return {
            "storage": {
                "s3": section,
                "delete": {"enabled": True},
                "redirect": {"disable": True},
            },
        }

    async def ours(self, name: str = "ours", **s3: Any) -> Registry:
        merge = self.settings(**s3)
        return await self.daemon(name, merge=merge, env=ENVIRONMENT)

    async def theirs(self) -> Registry:
        section = self.store.section(self.name, secure=False)
        storage = {"s3": section, "redirect": {"disable": True}}
        # It panics where it finds this one.
        bundle = os.environ.pop("AWS_CA_BUNDLE", None)
        try:
            port = free_port()
            http = {"addr": f"127.0.0.1:{port}", "secret": "the same for all"}
            merge = {"storage": storage, "http": http}
            return await self.debian_registry("theirs", port, merge=merge)
        finally:
            if bundle is not None:
                os.environ["AWS_CA_BUNDLE"] = bundle

    async def ask(
        self, method: str, url: str, body: bytes | None = None, **headers: str
    ) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named.setdefault("Content-Type", "application/octet-stream")
        return await self.http.request(method, url, data=body, headers=named)

    async def begin(self, registry: Registry) -> str:
        begun = await self.ask("POST", f"{registry.url}/v2/a/b/blobs/uploads/")
        self.assertEqual(begun.code, 202, await begun.content())
        return self.place(registry, begun)

    def place(self, registry: Registry, answer: Any) -> str:
        """Give where an upload goes on, at any of the registries."""
        (location,) = answer.headers.getRawHeaders("location")
        parts = urlsplit(location)
        return f"{registry.url}{parts.path}?{parts.query}"

    async def push(self, registry: Registry, content: bytes) -> Any:
        place = await self.begin(registry)
        joint = f"{place}&digest={sha(content)}"
        return await self.ask("PUT", joint, content)

    async def pull(self, registry: Registry, digest: str, **headers: str) -> Any:
        return await self.get(f"{registry.url}/v2/a/b/blobs/{digest}", **headers)


class S3Tests(S3Case):
    """What clients see."""

    timeout = 300

    async def test_clients(self) -> None:
        """skopeo pushes and pulls; what is deleted is gone; ranges are served."""
        require("skopeo")
        await self.bucket()
        registry = await self.ours()
        images, pulled = self.directory / "images", self.directory / "pulled"
        images.mkdir()
        layout = Layout(images)
        digest = layout.tag("t", layout.image("amd64", 10, 70_000), index=False)
        place = f"docker://{registry.host}/a/b:t"
        skopeo = (which("skopeo"), "copy", "-q")
        await run(*skopeo, "--dest-tls-verify=false", f"oci:{images}:t", place)
        await run(*skopeo, "--src-tls-verify=false", place, f"oci:{pulled}:t")
        blobs = {path.name for path in (images / "blobs/sha256").iterdir()}
        self.assertEqual(
            {path.name for path in (pulled / "blobs/sha256").iterdir()}, blobs
        )
        _, _, body = await self.get(f"{registry.url}/v2/_catalog")
        self.assertEqual(body, b'{"repositories": ["a/b"]}')
        gone = await self.ask("DELETE", f"{registry.url}/v2/a/b/manifests/{digest}")
        self.assertEqual(gone.code, 202)
        code, _, _ = await self.get(f"{registry.url}/v2/a/b/manifests/t")
        self.assertEqual(code, 404)

    async def test_ranges(self) -> None:
        """A part of a blob is served out of a part of the object."""
        await self.bucket()
        registry = await self.ours()
        content = os.urandom(3 * MIB)
        self.assertEqual((await self.push(registry, content)).code, 201)
        for wanted in ((0, 9), (100, 2 * MIB), (3 * MIB - 5, 3 * MIB - 1)):
            first, last = wanted
            code, _, body = await self.pull(
                registry, sha(content), Range=f"bytes={first}-{last}"
            )
            self.assertEqual((code, body), (206, content[first : last + 1]))

    async def test_upload_goes_on_elsewhere(self) -> None:
        """An upload begun at one ends at another, whatever the lengths in between."""
        await self.bucket()
        one, other = await self.ours("one"), await self.ours("other")
        content = os.urandom(19 * MIB)
        place, sent = await self.begin(one), 0
        for end, registry in ((1000, other), (6 * MIB, one), (18 * MIB, other)):
            parts = urlsplit(place)
            url = f"{registry.url}{parts.path}?{parts.query}"
            answer = await self.ask("PATCH", url, content[sent:end])
            self.assertEqual(answer.code, 202, await answer.content())
            (told,) = answer.headers.getRawHeaders("range")
            self.assertEqual(told, f"0-{end - 1}")
            place, sent = self.place(registry, answer), end
        parts = urlsplit(place)
        url = f"{one.url}{parts.path}?{parts.query}&digest={sha(content)}"
        answer = await self.ask("PUT", url, content[sent:])
        self.assertEqual(answer.code, 201, await answer.content())
        code, _, body = await self.pull(other, sha(content))
        self.assertTrue(code == 200 and body == content)
        left = [begun async for begun in self.driver._parts.multiparts.below("")]
        self.assertEqual(left, [])

    async def test_docker_registry_serves_what_we_stored(self) -> None:
        """A Go registry on the same bucket serves it, and we serve what that stored."""
        await self.bucket()
        ours, theirs = await self.ours(), await self.theirs()
        for writer, reader in ((ours, theirs), (theirs, ours)):
            content = os.urandom(6 * MIB)
            answer = await self.push(writer, content)
            self.assertEqual(answer.code, 201, await answer.content())
            code, _, body = await self.pull(reader, sha(content))
            self.assertTrue(code == 200 and body == content)

    async def test_docker_registry_goes_on(self) -> None:
        """An upload begun at ours ends at a Go registry, and the other way round."""
        await self.bucket()
        ours, theirs = await self.ours(), await self.theirs()
        for first, second in ((ours, theirs), (theirs, ours)):
            content = os.urandom(13 * MIB)
            place = await self.begin(first)
            answer = await self.ask("PATCH", place, content[: 6 * MIB])
            self.assertEqual(answer.code, 202, await answer.content())
            place = self.place(second, answer)
            answer = await self.ask("PATCH", place, content[6 * MIB :])
            self.assertEqual(answer.code, 202, await answer.content())
            place = f"{self.place(first, answer)}&digest={sha(content)}"
            answer = await self.ask("PUT", place)
            self.assertEqual(answer.code, 201, await answer.content())
            code, _, body = await self.pull(second, sha(content))
            self.assertTrue(code == 200 and body == content)

    async def test_redirects(self) -> None:
        """A client is sent to the store, with a URL for this very question."""
        await self.bucket()
        merge = self.settings()
        del merge["storage"]["redirect"]
        registry = await self.daemon("ours", merge=merge, env=ENVIRONMENT)
        content = os.urandom(MIB)
        self.assertEqual((await self.push(registry, content)).code, 201)
        url = f"{registry.url}/v2/a/b/blobs/{sha(content)}"
        sent = await self.http.get(url, allow_redirects=False)
        self.assertEqual(sent.code, 307)
        (location,) = sent.headers.getRawHeaders("location")
        self.assertTrue(location.startswith(self.store.url))
        code, _, body = await self.get(location)
        self.assertTrue(code == 200 and body == content)
        code, _, body = await self.get(location, Range="bytes=10-19")
        self.assertEqual((code, body), (206, content[10:20]))
        code, _, _ = await self.get(location[:-1] + "0f"[location[-1] == "0"])
        self.assertEqual(code, 403)
        head = await self.http.head(url, allow_redirects=False)
        self.assertEqual(head.code, 307)
        (location,) = head.headers.getRawHeaders("location")
        self.assertEqual((await self.http.head(location)).code, 200)

    async def test_cache(self) -> None:
        """A cache fetches a blob once; the next process has it from the bucket."""
        await self.bucket()
        upstream = await self.daemon("upstream")
        content = os.urandom(3 * MIB)
        self.assertEqual((await self.push(upstream, content)).code, 201)
        state = str(self.directory / "state")
        merge = self.settings()
        merge["storage"]["statedirectory"] = state
        cache = await self.cache(upstream.url, merge=merge, env=ENVIRONMENT)
        code, _, body = await self.pull(cache, sha(content))
        self.assertTrue(code == 200 and body == content)
        key = f"/docker/registry/v2/blobs/sha256/{sha(content)[7:9]}"
        for _ in range(600):
            with contextlib.suppress(PathNotFound):
                if await self.driver.list(key):
                    break
            await sleep(0.1)
        (found,) = await self.driver.list(key)
        self.assertEqual((await self.driver.stat(f"{found}/data")).size, 3 * MIB)
        await cache.process.end()
        again = await self.cache(upstream.url, "again", merge=merge, env=ENVIRONMENT)
        await upstream.process.end()
        code, _, body = await self.pull(again, sha(content))
        self.assertTrue(code == 200 and body == content)

    async def test_memory(self) -> None:
        """A large push and pull take memory for two parts, not for the blob."""
        await self.bucket()
        registry = await self.ours()
        content = os.urandom(MIB) * 192
        self.assertEqual((await self.push(registry, content)).code, 201)
        code, _, body = await self.pull(registry, sha(content))
        self.assertTrue(code == 200 and body == content)
        self.assertLess(registry.process.resident_bytes(), MAX_RESIDENT_BYTES)


class S3FaultTests(S3Case):
    """What clients see of a store that fails."""

    timeout = 300

    async def start(self) -> Registry:
        await self.bucket()
        self.faults = Faults(self.store.port)
        self.faults.listen()
        self.addCleanup(self.faults.go_away)
        url = f"http://127.0.0.1:{self.faults.port}"
        return await self.ours(regionendpoint=url)

    async def test_passing_failures(self) -> None:
        """Failures that pass are not seen, in a push as well as in a pull."""
        registry = await self.start()
        content = os.urandom(12 * MIB)
        place = await self.begin(registry)
        self.faults.answers += [SLOW_DOWN, INTERNAL, SLOW_DOWN]
        answer = await self.ask("PUT", f"{place}&digest={sha(content)}", content)
        self.assertEqual(answer.code, 201, await answer.content())
        self.faults.answers += [INTERNAL, SLOW_DOWN]
        self.faults.cut_after = 3 * MIB
        code, _, body = await self.pull(registry, sha(content))
        self.assertTrue(code == 200 and body == content)
        self.assertEqual((self.faults.cuts, self.faults.answers), (1, []))

    async def test_away(self) -> None:
        """A store that is away is 503 with a reason; nothing acknowledged is lost."""
        registry = await self.start()
        content, late = os.urandom(2 * MIB), os.urandom(7 * MIB)
        self.assertEqual((await self.push(registry, content)).code, 201)
        place = await self.begin(registry)
        answer = await self.ask("PATCH", place, late[: 6 * MIB])
        self.assertEqual(answer.code, 202)
        place = self.place(registry, answer)
        await self.faults.go_away()
        code, _, body = await self.pull(registry, sha(content))
        self.assertEqual(code, 503)
        self.assertIn(b"refused", body)
        answer = await self.ask("PATCH", place, late[6 * MIB :])
        self.assertEqual(answer.code, 503, await answer.content())
        self.faults.listen()
        code, _, body = await self.pull(registry, sha(content))
        self.assertTrue(code == 200 and body == content)
        status = await self.ask("GET", place)
        (told,) = status.headers.getRawHeaders("range")
        self.assertEqual(told, f"0-{6 * MIB - 1}")
        url = f"{self.place(registry, status)}&digest={sha(late)}"
        answer = await self.ask("PUT", url, late[6 * MIB :])
        self.assertEqual(answer.code, 201, await answer.content())

    async def test_lost_upload(self) -> None:
        """What the store has lost of an upload is never taken for a blob."""
        await self.bucket()
        registry = await self.ours(chunksize="5MiB")
        content = os.urandom(13 * MIB)
        place = await self.begin(registry)
        answer = await self.ask("PATCH", place, content[: 12 * MIB])
        self.assertEqual(answer.code, 202)
        parts = self.driver._parts.multiparts
        async for begun in parts.below(""):
            await parts.abort(begun.key, begun.upload_id)
        url = f"{self.place(registry, answer)}&digest={sha(content)}"
        answer = await self.ask("PUT", url, content[12 * MIB :])
        self.assertEqual(answer.code, 416, await answer.content())
        self.assertIn(b'"size": 0', await answer.content())
        code, _, _ = await self.pull(registry, sha(content))
        self.assertEqual(code, 404)
        self.assertEqual((await self.push(registry, content)).code, 201)
        code, _, body = await self.pull(registry, sha(content))
        self.assertTrue(code == 200 and body == content)
