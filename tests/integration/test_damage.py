"""Files that were damaged while the daemon was down, or copied, on a real disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from tests.integration.support import IntegrationCase, Registry

SIZE = 3 * 1024 * 1024
NAME = "library/x"


def _flip(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(SIZE // 2)
        file.write(b"flipped")


def _lengthen(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def _replace(path: Path) -> None:
    path.unlink()
    path.write_bytes(os.urandom(SIZE))


#: What is done to a file, by name.
DAMAGES: dict[str, Callable[[Path], None]] = {
    "cut": lambda path: os.truncate(path, SIZE // 2),
    "emptied": lambda path: os.truncate(path, 0),
    "flipped": _flip,
    "lengthened": _lengthen,
    "replaced": _replace,
}


class DamageTests(IntegrationCase):
    """A registry and a cache of it, each with one blob for each damage."""

    contents: dict[str, bytes]

    async def begin(self) -> tuple[Registry, Registry]:
        self.contents = {name: os.urandom(SIZE) for name in (*DAMAGES, "sound")}
        upstream, url = self.fake_upstream()
        self.upstream = upstream
        for content in self.contents.values():
            upstream.add_blob(NAME, content)
        registry, cache = await self.daemon("registry"), await self.cache(url)
        for content in self.contents.values():
            await self.push(registry, content)
            code, _, body = await self.get(self.url(cache, content))
            self.assertEqual((code, body == content), (200, True))
        self.url_of_upstream = url
        return registry, cache

    async def push(self, registry: Registry, content: bytes) -> None:
        url = f"{registry.url}/v2/{NAME}/blobs/uploads/"
        begun = await self.http.post(url)
        (location,) = begun.headers.getRawHeaders("Location")
        digest = sha256(content).hexdigest()
        done = await self.http.put(f"{location}&digest=sha256:{digest}", data=content)
        self.assertEqual(done.code, 201)

    def url(self, registry: Registry, content: bytes) -> str:
        return f"{registry.url}/v2/{NAME}/blobs/sha256:{sha256(content).hexdigest()}"

    def file(self, root: Path, content: bytes) -> Path:
        digits = sha256(content).hexdigest()
        below = f"docker/registry/v2/blobs/sha256/{digits[:2]}/{digits}/data"
        return root / below

    def damage(self, root: Path) -> None:
        for name, work in DAMAGES.items():
            work(self.file(root, self.contents[name]))

    async def answers(self, registry: Registry) -> dict[str, tuple[int, int]]:
        """Ask for each blob by HEAD and GET; what is given is never damaged."""
        found = {}
        for name, content in self.contents.items():
            url = self.url(registry, content)
            head = await self.http.head(url)
            code, _, body = await self.get(url)
            self.assertTrue(code != 200 or body == content, name)
            found[name] = head.code, code
        return found

    def aside(self, root: Path) -> list[str]:
        """Give the digests that were set aside, sorted."""
        found = (root / "txregistry/damaged/sha256").iterdir()
        return sorted(path.name.partition(".")[0] for path in found)

    def damaged(self) -> list[str]:
        return sorted(sha256(self.contents[name]).hexdigest() for name in DAMAGES)

    async def test_while_it_is_down(self) -> None:
        """A cache gets it anew at once, a registry when it is pushed."""
        registry, cache = await self.begin()
        for daemon in (registry, cache):
            await daemon.process.end()
            self.damage(daemon.root)
        registry = await self.daemon("registry", registry.port)
        cache = await self.cache(self.url_of_upstream, port=cache.port)
        missing = dict.fromkeys(DAMAGES, (404, 404)) | {"sound": (200, 200)}
        there = dict.fromkeys(self.contents, (200, 200))
        gets = self.upstream.count("GET", "/blobs/")
        self.assertEqual(await self.answers(cache), there)
        fetched = self.upstream.count("GET", "/blobs/") - gets
        self.assertEqual(fetched, len(DAMAGES))
        self.assertEqual(await self.answers(registry), missing)
        for name in DAMAGES:
            await self.push(registry, self.contents[name])
        self.assertEqual(await self.answers(registry), there)
        for daemon in (registry, cache):
            self.assertEqual(self.aside(daemon.root), self.damaged())
            await daemon.process.end()
            for digits in self.damaged():
                self.assertIn(digits, daemon.process.text())

    async def test_while_it_is_up(self) -> None:
        """It is found by the next request, as a file is looked at each time."""
        registry, cache = await self.begin()
        for daemon, code in ((registry, 404), (cache, 200)):
            self.damage(daemon.root)
            expected = dict.fromkeys(DAMAGES, (code, code)) | {"sound": (200, 200)}
            self.assertEqual(await self.answers(daemon), expected)
            self.assertEqual(self.aside(daemon.root), self.damaged())
            line = 'registry_proxy_damaged_total{type="blob"'
            self.assertEqual(await self.metric(daemon, line), len(DAMAGES))

    async def test_copied(self) -> None:
        """A directory that was copied is served, and read once."""
        registry, _ = await self.begin()
        await registry.process.end()
        shutil.copytree(registry.root, self.directory / "copy")
        copy = await self.daemon("copy")
        there = dict.fromkeys(self.contents, (200, 200))
        self.assertEqual(await self.answers(copy), there)
        await copy.process.end()
        # What was found is kept: the whole copy is not read again after a restart.
        for content in self.contents.values():
            self.file(copy.root, content).write_bytes(content)
        copy = await self.daemon("copy", copy.port)
        self.assertEqual(await self.answers(copy), there)
