"""Junk in real directories: of a registry, its collection, and a cache."""

from __future__ import annotations

import json
import os
import sys
from hashlib import sha256
from pathlib import Path

from tests.integration.support import IntegrationCase, Registry, output, run, until

COMMAND = str(Path(sys.executable).parent / "txregistry")
KIND = "application/vnd.oci.image.manifest.v1+json"

#: What lies in each directory; those of the second line are somebody else's.
JUNK = (
    "#recycle",
    "lost+found",
    "~snapshot",
    "System Volume Information",
    "a:b",
    "für",
)
CLOSED = ("@eaDir", ".Trash-0")
OTHER_USER = 12345

#: Root without the right to read what is closed to root.
BOUND = ("/usr/bin/setpriv", "--bounding-set=-dac_override,-dac_read_search")


def digest_of(content: bytes) -> str:
    return "sha256:" + sha256(content).hexdigest()


def spoil(root: Path) -> int:
    """Put junk into every directory, some of which cannot be read; count it."""
    places = [Path(path) for path, _, _ in os.walk(root)]
    for place in places:
        for name in (*JUNK, *CLOSED):
            directory = place / name
            directory.mkdir()
            (directory / "data").write_bytes(b"not ours")
            if name in CLOSED and os.geteuid() == 0:
                os.chown(directory, OTHER_USER, OTHER_USER)
            if name in CLOSED:
                directory.chmod(0o000 if os.geteuid() else 0o700)
    return len(places)


class ForeignTests(IntegrationCase):
    """Directories of file systems, file servers and desktops, in every directory."""

    async def push(self, registry: Registry, name: str, tag: str) -> tuple[str, bytes]:
        """Push an image that is made of one blob."""
        content, url = os.urandom(50_000), f"{registry.url}/v2/{name}"
        described = {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": digest_of(content),
            "size": len(content),
        }
        image = {"schemaVersion": 2, "mediaType": KIND, "config": described}
        manifest = json.dumps({**image, "layers": []}).encode()
        kind = {"Content-Type": ["application/octet-stream"]}
        path = f"{url}/blobs/uploads/?digest={digest_of(content)}"
        pushed = await self.http.post(path, data=content, headers=kind)
        kind = {"Content-Type": [KIND]}
        put = await self.http.put(f"{url}/manifests/{tag}", data=manifest, headers=kind)
        self.assertEqual((pushed.code, put.code), (201, 201))
        return digest_of(manifest), content

    def wrapper(self) -> tuple[str, ...]:
        return BOUND if os.geteuid() == 0 else ()

    async def listed(self, url: str, key: str) -> list[str]:
        code, _, body = await self.get(url)
        self.assertEqual(code, 200, body)
        return list(json.loads(body)[key])

    async def test_registry(self) -> None:
        """It lists, serves and is pushed to; a collection frees what has to go."""
        storage = {
            "filesystem": {"rootdirectory": str(self.directory / "ours")},
            "delete": {"enabled": True},
        }
        merge = {"storage": storage}
        ours = await self.daemon("ours", merge=merge)
        _, kept = await self.push(ours, "a/b", "v1")
        gone, _ = await self.push(ours, "c", "v1")
        await ours.process.end()
        self.assertGreater(spoil(ours.root), 20)
        ours = await self.daemon("ours", merge=merge, wrapper=self.wrapper())
        catalog = f"{ours.url}/v2/_catalog"
        self.assertEqual(await self.listed(catalog, "repositories"), ["a/b", "c"])
        tags = f"{ours.url}/v2/a/b/tags/list"
        self.assertEqual(await self.listed(tags, "tags"), ["v1"])
        _, _, body = await self.get(f"{ours.url}/v2/a/b/blobs/{digest_of(kept)}")
        self.assertTrue(body == kept)
        deleted = await self.http.delete(f"{ours.url}/v2/c/manifests/{gone}")
        self.assertEqual(deleted.code, 202)
        config = str(self.directory / "ours.yml")
        for blobs in (2, 0):
            command = (COMMAND, "garbage-collect", "--json", "--grace", "0", config)
            report = json.loads(await output(*command, env={"COLUMNS": "80"}))
            self.assertEqual(report["blobs_deleted"], blobs)
        await self.push(ours, "c", "v2")
        await ours.process.end()
        command = (*self.wrapper(), COMMAND, "garbage-collect", "--json", config)
        report = json.loads(await output(*command, env={"COLUMNS": "80"}))
        self.assertEqual((report["broken"], report["blobs_kept"]), ([], 4))

    async def test_unreadable_repository(self) -> None:
        """A collection stops, and says which; all else goes on."""
        ours = await self.daemon("ours")
        await self.push(ours, "a", "v1")
        await self.push(ours, "secret", "v1")
        await ours.process.end()
        secret = ours.root / "docker/registry/v2/repositories/secret"
        if os.geteuid() == 0:
            os.chown(secret, OTHER_USER, OTHER_USER)
        secret.chmod(0o700 if os.geteuid() == 0 else 0o000)
        ours = await self.daemon("ours", wrapper=self.wrapper())
        catalog = f"{ours.url}/v2/_catalog"
        self.assertEqual(await self.listed(catalog, "repositories"), ["a"])
        config = str(self.directory / "ours.yml")
        with self.assertRaises(AssertionError) as caught:
            await run(COMMAND, "garbage-collect", config)
        self.assertIn("ended with 1", str(caught.exception))
        self.assertIn("repositories/secret", str(caught.exception))

    async def test_cache(self) -> None:
        """What has expired goes."""
        upstream, url = self.fake_upstream()
        content = os.urandom(50_000)
        digest = upstream.add_blob("lib/x", content)
        cache = await self.cache(url, ttl="2s")
        path = f"/v2/lib/x/blobs/{digest}"
        await self.get(f"{cache.url}{path}")
        await cache.process.end()
        spoil(cache.root)
        cache = await self.cache(url, port=cache.port, wrapper=self.wrapper(), ttl="2s")
        data = cache.root / f"docker/registry/v2/blobs/sha256/{digest.hex[:2]}"
        await until(lambda: not (data / digest.hex / "data").exists())
        code, _, body = await self.get(f"{cache.url}{path}")
        self.assertEqual((code, body == content), (200, True))
