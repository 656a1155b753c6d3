"""The commands of ``docs/backup.md``, beside a registry that takes pushes."""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.utils import getProcessOutputAndValue

from tests.integration.support import IntegrationCase, Registry, require, which

PAGE = Path(__file__).parents[2] / "docs" / "backup.md"
IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"

#: Stands before the real program: something is pushed between two steps.
SLOWLY = """#!/bin/sh
before=$(wc -c <"$PUSHED")
until [ $(wc -c <"$PUSHED") -gt $((before + 1)) ]; do sleep 0.05; done
PATH=%s exec %s "$@"
"""


def commands(name: str) -> str:
    """Give a block of commands of the page."""
    found = re.search(rf"^```sh {name}\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    assert found is not None, name
    return found[1]


def digest_of(content: bytes) -> str:
    return f"sha256:{sha256(content).hexdigest()}"


class Pusher:
    """Pushes images and indexes, moves tags and deletes some, one after the other."""

    def __init__(self, case: IntegrationCase, registry: Registry) -> None:
        self.case, self.registry = case, registry
        #: Has a byte for each that was pushed.
        self.pushed = case.directory / "pushed"
        self.ends = False
        self.count = 0
        self.deletes = False

    async def run(self) -> None:
        """Push until told to end."""
        while not self.ends:
            await self.push()

    async def push(self) -> None:
        self.count += 1
        name = f"team/app{self.count % 3}"
        children = [await self.image(name) for _ in range(2)]
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": children}
        await self.manifest(name, INDEX, index, f"v{self.count}")
        latest = await self.manifest(name, INDEX, index, "latest")
        if self.deletes and self.count % 3 == 0:
            path = f"{self.registry.url}/v2/{name}/manifests/{latest['digest']}"
            response = await self.case.http.delete(path)
            self.case.assertEqual(response.code, 202)
        with self.pushed.open("ab") as pushed:
            pushed.write(b".")

    async def image(self, name: str) -> dict[str, Any]:
        layers = [await self.blob(name, os.urandom(20_000)) for _ in range(2)]
        config = await self.blob(name, json.dumps({"n": os.urandom(8).hex()}).encode())
        content = {
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                **config,
            },
            "layers": [
                {"mediaType": "application/vnd.oci.image.layer.v1.tar", **layer}
                for layer in layers
            ],
        }
        return await self.manifest(name, IMAGE, content)

    async def blob(self, name: str, content: bytes) -> dict[str, Any]:
        digest = digest_of(content)
        url = f"{self.registry.url}/v2/{name}/blobs/uploads/?digest={digest}"
        done = await self.case.http.post(
            url, data=content, headers={"Content-Type": "application/octet-stream"}
        )
        self.case.assertEqual(done.code, 201)
        return {"digest": digest, "size": len(content)}

    async def manifest(
        self, name: str, kind: str, found: dict[str, Any], tag: str = ""
    ) -> dict[str, Any]:
        content = json.dumps(found).encode()
        reference = tag or digest_of(content)
        url = f"{self.registry.url}/v2/{name}/manifests/{reference}"
        done = await self.case.http.put(
            url, data=content, headers={"Content-Type": kind}
        )
        self.case.assertEqual(done.code, 201)
        size = len(content)
        return {"mediaType": kind, "digest": digest_of(content), "size": size}


class BackupTests(IntegrationCase):
    """A backup beside pushes, and what is restored from it."""

    def storage(self, name: str) -> dict[str, Any]:
        return {
            "storage": {
                "filesystem": {"rootdirectory": str(self.directory / name)},
                "delete": {"enabled": True},
            }
        }

    async def sh(self, script: str, slowly: str = "") -> None:
        """Run commands as they stand on the page.

        :param slowly: a program that waits each time until something was pushed.
        """
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        env = {
            **os.environ,
            "STORE": str(self.directory / "store"),
            "BACKUP": str(self.directory / "backup"),
            "NEW": str(self.directory / "new"),
            "CONFIG": str(self.directory / "new.yml"),
            "PUSHED": str(self.directory / "pushed"),
            "PATH": f"{self.wrapper(slowly, path)}:{path}" if slowly else path,
        }
        out, err, code = await getProcessOutputAndValue(
            "/bin/sh", ["-euc", script], env
        )
        self.assertEqual(code, 0, (out + err).decode())

    def wrapper(self, program: str, path: str) -> str:
        """Give a directory with a program that waits for pushes."""
        place = self.directory / "bin"
        place.mkdir(exist_ok=True)
        file = place / program
        file.write_text(SLOWLY % (path, which(program)))
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
        return str(place)

    async def make(self, *programs: str) -> Pusher:
        require(*programs)
        registry = await self.daemon("store", merge=self.storage("store"))
        pusher = Pusher(self, registry)
        for _ in range(6):
            await pusher.push()
        return pusher

    async def back_up(self, pusher: Pusher, script: str, program: str) -> None:
        pushing: Deferred[None] = ensureDeferred(pusher.run())
        before = pusher.count
        await self.sh(script, program)
        pusher.ends = True
        await pushing
        self.assertGreater(pusher.count, before + 3)

    async def restore(self, script: str) -> Registry:
        """Restore, serve, and have the page's command verify it."""
        await self.sh(script)
        self.assertFalse((self.directory / "new" / "txregistry").exists())
        restored = await self.daemon("new", merge=self.storage("new"))
        await self.sh(commands("verify"))
        return restored

    async def pull_all(self, registry: Registry) -> dict[str, set[str]]:
        """Pull all that has a tag; give the tags of each repository."""
        _, _, body = await self.get(f"{registry.url}/v2/_catalog")
        found: dict[str, set[str]] = {}
        for name in json.loads(body)["repositories"]:
            _, _, body = await self.get(f"{registry.url}/v2/{name}/tags/list")
            found[name] = set(json.loads(body).get("tags") or ())
            for tag in found[name]:
                await self.pull(registry, name, tag)
        return found

    async def pull(self, registry: Registry, name: str, reference: str) -> None:
        url = f"{registry.url}/v2/{name}/manifests/{reference}"
        code, headers, body = await self.get(url, Accept=f"{INDEX}, {IMAGE}")
        self.assertEqual(code, 200, f"{name} {reference} {body!r}")
        (digest,) = headers.getRawHeaders("Docker-Content-Digest")
        self.assertEqual(digest_of(body), digest)
        manifest = json.loads(body)
        for child in manifest.get("manifests", ()):
            await self.pull(registry, name, child["digest"])
        blobs = [*manifest.get("layers", ()), manifest.get("config")]
        for blob in filter(None, blobs):
            url = f"{registry.url}/v2/{name}/blobs/{blob['digest']}"
            code, _, body = await self.get(url)
            self.assertEqual((code, digest_of(body)), (200, blob["digest"]))

    def assert_kept(self, tags: dict[str, set[str]], numbers: range) -> None:
        """What was tagged before the backup began, and not deleted, is in it."""
        for number in numbers:
            self.assertIn(f"v{number}", tags[f"team/app{number % 3}"])

    async def test_rsync(self) -> None:
        """Twice, with pushes, moved tags and deletes: all tags can be pulled."""
        pusher = await self.make("rsync")
        await self.sh(commands("rsync"))
        before = pusher.count
        pusher.deletes = True
        await self.back_up(pusher, commands("rsync"), "rsync")
        restored = await self.restore(commands("restore-rsync"))
        tags = await self.pull_all(restored)
        self.assertEqual(set(tags), {f"team/app{number}" for number in range(3)})
        self.assert_kept(tags, range(1, before + 1))

    async def test_tar(self) -> None:
        """As a set of files."""
        pusher = await self.make("tar")
        before = pusher.count
        await self.back_up(pusher, commands("tar"), "tar")
        restored = await self.restore(commands("restore-tar"))
        tags = await self.pull_all(restored)
        self.assert_kept(tags, range(1, before + 1))
        newest = max(
            int(tag[1:]) for found in tags.values() for tag in found - {"latest"}
        )
        self.assertGreaterEqual(newest, before)

    async def test_what_is_missing(self) -> None:
        """A backup that lost content is found out by the last command."""
        await self.make("tar")
        await self.sh(commands("tar"))
        await self.sh(commands("restore-tar"))
        files = sorted((self.directory / "new").rglob("blobs/sha256/*/*/data"))
        files[0].unlink()
        await self.daemon("new", merge=self.storage("new"))
        with self.assertRaises(self.failureException) as caught:
            await self.sh(commands("verify"))
        self.assertIn(f"missing: sha256:{files[0].parent.name}", str(caught.exception))
