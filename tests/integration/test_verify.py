"""``txregistry verify`` and scrubs, on a real disk that has lost a bit."""

from __future__ import annotations

import json
import os
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

from twisted.internet.utils import getProcessOutputAndValue

from tests.integration.support import (
    IntegrationCase,
    Process,
    Registry,
    start,
    until,
)

COMMAND = str(Path(sys.executable).parent / "txregistry")
MIB = 1024 * 1024
SIZE = 3 * MIB + 17
NAME = "library/x"


def rot(path: Path) -> None:
    """Change a bit, and leave no trace of it: neither inode, nor size, nor times."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(SIZE // 2)
        (byte,) = file.read(1)
        file.seek(SIZE // 2)
        file.write(bytes([byte ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_size) == (
        before.st_ino,
        before.st_mtime_ns,
        before.st_size,
    )


class VerifyCase(IntegrationCase):
    """Blobs, and the command."""

    def setUp(self) -> None:
        super().setUp()
        self.contents = sorted(
            (os.urandom(SIZE) for _ in range(6)), key=lambda x: sha256(x).hexdigest()
        )

    async def push(self, registry: Registry, content: bytes) -> None:
        url = f"{registry.url}/v2/{NAME}/blobs/uploads/"
        begun = await self.http.post(url)
        (location,) = begun.headers.getRawHeaders("Location")
        digest = sha256(content).hexdigest()
        done = await self.http.put(f"{location}&digest=sha256:{digest}", data=content)
        self.assertEqual(done.code, 201)

    async def registry(self, merge: dict[str, Any] | None = None) -> Registry:
        registry = await self.daemon("registry", merge=merge)
        for content in self.contents:
            await self.push(registry, content)
        return registry

    def file(self, root: Path, content: bytes) -> Path:
        digits = sha256(content).hexdigest()
        return root / f"docker/registry/v2/blobs/sha256/{digits[:2]}/{digits}/data"

    def url(self, registry: Registry, content: bytes) -> str:
        return f"{registry.url}/v2/{NAME}/blobs/sha256:{sha256(content).hexdigest()}"

    async def status(self, registry: Registry, content: bytes) -> int:
        code, _, body = await self.get(self.url(registry, content))
        self.assertTrue(code != 200 or body == content)
        return code

    def command(self, name: str, *options: str) -> tuple[str, ...]:
        config = str(self.directory / f"{name}.yml")
        return (COMMAND, "verify", "-c", config, *options)

    async def verify(self, name: str, *options: str) -> tuple[int, dict[str, Any]]:
        _, *arguments = self.command(name, "--json", *options)
        out, err, code = await getProcessOutputAndValue(
            COMMAND, arguments, {**os.environ, "COLUMNS": "80"}
        )
        assert out, err
        return code, json.loads(out)

    def aside(self, root: Path) -> list[str]:
        found = (root / "txregistry/damaged/sha256").glob("*")
        return sorted(path.name.partition(".")[0] for path in found)

    def storage(self, **scrub: Any) -> dict[str, Any]:
        return {
            "storage": {
                "filesystem": {"rootdirectory": str(self.directory / "registry")},
                "maintenance": {"scrub": scrub},
            }
        }


class RegistryVerifyTests(VerifyCase):
    """A registry, which has no other copy."""

    async def test_a_bit(self) -> None:
        """It is found, named and set aside; what is sound is served all the while."""
        registry = await self.registry()
        self.assertEqual((await self.verify("registry"))[0], 0)
        doomed = self.contents[2]
        rot(self.file(registry.root, doomed))
        self.assertEqual((await self.get(self.url(registry, doomed)))[0], 200)
        code, report = await self.verify("registry", "--limit-rate", "0")
        self.assertEqual((code, report["damaged"], report["contents"]), (1, 1, 6))
        (found,) = report["findings"]
        digits = sha256(doomed).hexdigest()
        self.assertEqual(found["digest"], f"sha256:{digits}")
        self.assertEqual(found["outcome"], "set aside")
        self.assertEqual(found["repositories"], [NAME])
        self.assertEqual(self.aside(registry.root), [digits])
        self.assertEqual(await self.status(registry, doomed), 404)
        for content in set(self.contents) - {doomed}:
            self.assertEqual(await self.status(registry, content), 200)
        line = "registry_scrub_damaged_total"
        self.assertEqual(await self.metric(registry, line), 1)
        await registry.process.end()
        self.assertIn(digits, registry.process.text())
        self.assertIn(f"linked by {NAME}", registry.process.text())

    async def test_without_a_daemon(self) -> None:
        """The command reads the directory by itself, and the daemon knows it then."""
        registry = await self.registry()
        await registry.process.end()
        rot(self.file(registry.root, self.contents[0]))
        self.file(registry.root, self.contents[1]).unlink()
        code, report = await self.verify("registry", "--repository", NAME)
        outcomes = {item["digest"]: item["outcome"] for item in report["findings"]}
        hexes = [sha256(content).hexdigest() for content in self.contents]
        self.assertEqual(
            outcomes,
            {f"sha256:{hexes[0]}": "set aside", f"sha256:{hexes[1]}": "missing"},
        )
        self.assertEqual(code, 1)
        self.assertEqual(self.aside(registry.root), [hexes[0]])
        registry = await self.daemon("registry", registry.port)
        codes = [await self.status(registry, content) for content in self.contents]
        self.assertEqual(codes, [404, 404, 200, 200, 200, 200])

    async def test_interrupted(self) -> None:
        """Ctrl-C ends it with a report; --resume reads only the rest."""
        registry = await self.registry()
        for is_there in (True, False):
            if not is_there:
                await registry.process.end()
            process = self.begin("registry", "--limit-rate", "1MiB")
            await until(lambda process=process: "contents" in process.text())
            process.transport.signalProcess("INT")
            await process.output.ended
            self.assertEqual(process.status_code, 2, process.text())
            self.assertIn("interrupted: not everything was read", process.text())
            code, report = await self.verify("registry", "--resume")
            self.assertEqual((code, report["complete"]), (0, True))
            self.assertEqual((report["resumed"], report["contents"]), (True, 6))

    def begin(self, name: str, *options: str) -> VerifyProcess:
        process = start(*self.command(name, *options))
        self.keep(process)
        return VerifyProcess(process.output, process.transport)

    async def test_busy(self) -> None:
        """A second one is refused, with status 2."""
        await self.registry()
        first = self.begin("registry", "--limit-rate", "1MiB")
        await until(lambda: "contents" in first.text())
        second = self.begin("registry")
        await second.output.ended
        self.assertEqual(second.status_code, 2)
        self.assertIn("under way already", second.text())
        await first.end("INT")

    async def test_restart_in_the_middle(self) -> None:
        """A pass that a restart interrupts goes on where it was."""
        registry = await self.registry()
        process = self.begin("registry", "--limit-rate", "1MiB")
        await until(lambda: "contents" in process.text())
        await registry.process.end()
        await process.output.ended
        self.assertEqual(process.status_code, 2)
        registry = await self.daemon("registry", registry.port)
        code, report = await self.verify("registry", "--resume", "--limit-rate", "0")
        self.assertEqual((code, report["resumed"], report["contents"]), (0, True, 6))
        read = await self.metric(registry, "registry_scrub_bytes_total")
        self.assertLess(read, 6 * SIZE)

    async def test_by_itself(self) -> None:
        """What a verification that was killed has left is read by the daemon."""
        # The first look is a minute after the start, or more.
        merge = self.storage(enabled=True, interval="1h", rate="1GB")
        registry = await self.registry(merge)
        process = self.begin("registry", "--limit-rate", "1MiB")
        await until(lambda: "contents" in process.text())
        rot(self.file(registry.root, self.contents[-1]))
        await process.end("KILL")
        digits = sha256(self.contents[-1]).hexdigest()
        await until(lambda: self.aside(registry.root) == [digits])

    async def test_answers_meanwhile(self) -> None:
        """Pulls are answered while it reads: many of them during one pass.

        That no turn of the reactor reads a file is shown in tests of the scrubber.
        """
        registry = await self.registry()
        process = self.begin("registry", "--limit-rate", "3MiB")
        await until(lambda: "contents" in process.text())
        answers = 0
        while process.running:
            code, _, _ = await self.get(f"{registry.url}/v2/")
            self.assertEqual(code, 200)
            answers += 1
            self.assertEqual(await self.status(registry, self.contents[0]), 200)
        self.assertGreater(answers, 5)
        self.assertEqual(process.status_code, 0)


class VerifyProcess(Process):
    """A process with its exit code."""

    @property
    def status_code(self) -> int:
        return int(self.output.status.exitCode)


class CacheVerifyTests(VerifyCase):
    """A cache, whose upstream has another copy."""

    async def test_healed(self) -> None:
        """It is fetched anew at once; with the upstream away, when asked for."""
        upstream, url = self.fake_upstream()
        for content in self.contents:
            upstream.add_blob(NAME, content)
        cache = await self.cache(url)
        for content in self.contents:
            self.assertEqual(await self.status(cache, content), 200)
        doomed = self.contents[3]
        rot(self.file(cache.root, doomed))
        gets = upstream.count("GET", "/blobs/")
        code, report = await self.verify("cache")
        self.assertEqual((code, report["damaged"], report["healed"]), (1, 1, 1))
        self.assertEqual(report["findings"][0]["outcome"], "healed")
        self.assertEqual(upstream.count("GET", "/blobs/"), gets + 1)
        self.assertEqual(await self.status(cache, doomed), 200)
        self.assertEqual(upstream.count("GET", "/blobs/"), gets + 1)
        self.assertEqual(await self.metric(cache, "registry_scrub_healed_total"), 1)
        self.assertEqual((await self.verify("cache"))[0], 0)
