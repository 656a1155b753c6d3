"""Several processes on one directory and one port, Docker's registry beside them."""

from __future__ import annotations

import http.client
import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import attrs
from twisted.internet.threads import deferToThread

from tests.integration.support import (
    IntegrationCase,
    Process,
    Registry,
    free_port,
    run,
    until,
)
from txregistry.spec import mediatypes
from txregistry.spec.digest import Digest
from txregistry.testing.repositories import image_manifest

T = TypeVar("T")

TXREGISTRY = str(Path(sys.executable).parent / "txregistry")
BLOB = os.urandom(3_000_000)
DIGEST = Digest.of(BLOB)

#: Connections that are made until each process has one; it fails once in 2^60.
_TRIES = 60


def owner(client: socket.socket, pids: list[int]) -> int | None:
    """Find the process to which the kernel gave a connection of loopback."""
    port = client.getsockname()[1]
    remote = f"0100007F:{port:04X}"
    inodes = [
        fields[9]
        for fields in map(str.split, Path("/proc/net/tcp").read_text().splitlines())
        if fields[2] == remote
    ]
    for pid in pids:
        for name in os.listdir(f"/proc/{pid}/fd"):
            try:
                target = os.readlink(f"/proc/{pid}/fd/{name}")
            except FileNotFoundError:
                continue
            if any(target == f"socket:[{inode}]" for inode in inodes):
                return pid
    return None


@attrs.define(eq=False)
class Got:
    status: int
    headers: Any
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@attrs.define(eq=False)
class Line:
    """A connection that stays at one process."""

    connection: http.client.HTTPConnection

    def ask(
        self, method: str, path: str, body: bytes | None = None, **named: str
    ) -> Got:
        headers = {name.replace("_", "-"): value for name, value in named.items()}
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        return Got(answer.status, answer.headers, answer.read())


class SharedCase(IntegrationCase):
    """Two of ours on one port."""

    async def start_two(self, merge: dict[str, Any] | None = None) -> list[Registry]:
        self.root, self.port = self.make_root(), free_port()
        return [await self.start_one(name, merge) for name in ("one", "two")]

    def make_root(self) -> Path:
        """Give the directory that they share."""
        return self.directory / "storage"

    def root_of(self, name: str) -> Path:
        """Give that directory as one of them sees it."""
        return self.root

    async def start_one(
        self, name: str, merge: dict[str, Any] | None = None
    ) -> Registry:
        state = self.directory / f"state-{name}"
        section = {
            "storage": {
                "filesystem": {
                    "rootdirectory": str(self.root_of(name)),
                    "shared": True,
                },
                "delete": {"enabled": True},
            },
            "http": {"addr": f"127.0.0.1:{self.port}", "reuseport": True},
            **(merge or {}),
        }
        env = {"NO_PROXY": "*", "STATE_DIRECTORY": str(state)}
        registry = await self.daemon(name, self.port, section, env)
        await until(lambda: "ready on" in registry.process.text())
        return registry

    def line_to(self, process: Process, others: list[Process]) -> Line:
        """Connect until the kernel gives the connection to this process."""
        pids = [process.pid, *(other.pid for other in others)]
        for _ in range(_TRIES):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            line = Line(connection)
            # Once it is answered it was accepted.
            assert line.ask("GET", "/v2/").status == 200
            assert connection.sock is not None
            if owner(connection.sock, pids) == process.pid:
                self.addCleanup(connection.close)
                return line
            connection.close()
        raise AssertionError("the kernel gives no connection to this process")

    async def lines(self, registries: list[Registry]) -> list[Line]:
        processes = [registry.process for registry in registries]
        return [
            await deferToThread(self.line_to, process, processes)
            for process in processes
        ]


class RegistryTests(SharedCase):
    """What one does the other sees at once."""

    async def test_one_registry(self) -> None:
        """Uploads go on at the other, and nothing is remembered that has changed."""
        first, second = await self.lines(await self.start_two())
        beside = await self.debian_registry(root=self.root)
        other = Line(http.client.HTTPConnection("127.0.0.1", beside.port, timeout=30))
        self.addCleanup(other.connection.close)
        await deferToThread(self.upload, first, second)
        await deferToThread(self.upload_beside, first, other)
        await deferToThread(self.tag_and_delete, first, second, other)
        await deferToThread(self.mount_and_delete, first, second)

    def upload(self, first: Line, second: Line) -> None:
        begun = first.ask("POST", "/v2/a/b/blobs/uploads/")
        self.assertEqual(begun.status, 202)
        place, done = begun.headers["Location"], 0
        for line, end in ((second, 10), (first, 1_000_000), (second, 2_500_000)):
            chunk = BLOB[done:end]
            range_ = f"{done}-{end - 1}"
            got = line.ask("PATCH", place, chunk, Content_Range=range_)
            self.assertEqual((got.status, got.headers["Range"]), (202, f"0-{end - 1}"))
            place, done = got.headers["Location"], end
        for line in (first, second):
            got = line.ask("GET", place)
            self.assertEqual((got.status, got.headers["Range"]), (204, f"0-{done - 1}"))
        joint = "&" if "?" in place else "?"
        got = first.ask("PUT", f"{place}{joint}digest={DIGEST}", BLOB[done:])
        self.assertEqual(got.status, 201, got.body)
        for line in (first, second):
            self.assertEqual(line.ask("GET", f"/v2/a/b/blobs/{DIGEST}").body, BLOB)
            self.assertEqual(line.ask("GET", place).status, 404)

    def upload_beside(self, ours: Line, other: Line) -> None:
        """A blob of Docker's registry is ours at once, and one of ours is its own."""
        for line, looking, content in (
            (other, ours, b"theirs"),
            (ours, other, b"ours"),
        ):
            digest = Digest.of(content)
            place = line.ask("POST", "/v2/a/b/blobs/uploads/").headers["Location"]
            place = (
                place.partition("://")[2].partition("/")[2] if "://" in place else place
            )
            place = f"/{place.lstrip('/')}&digest={digest}"
            self.assertEqual(line.ask("PUT", place, content).status, 201)
            self.assertEqual(
                looking.ask("GET", f"/v2/a/b/blobs/{digest}").body, content
            )

    def put(self, line: Line, reference: object, content: bytes) -> None:
        kind = mediatypes.OCI_MANIFEST
        path = f"/v2/a/b/manifests/{reference}"
        got = line.ask("PUT", path, content, Content_Type=kind)
        self.assertEqual(got.status, 201, got.body)

    def seen(self, line: Line, reference: object) -> int:
        kind = mediatypes.OCI_MANIFEST
        return line.ask("GET", f"/v2/a/b/manifests/{reference}", Accept=kind).status

    def tag_and_delete(self, first: Line, second: Line, other: Line) -> None:
        for line in (first, second):
            got = self.push_config(line)
        image = image_manifest(got, note="image")
        signature = image_manifest(got, subject=Digest.of(image), note="signature")
        lines = (first, second, other)
        for pushing in lines:
            self.put(pushing, "v1", image)
            for line in lines:
                self.assertEqual(self.seen(line, "v1"), 200)
                self.assertEqual(self.seen(line, Digest.of(image)), 200)
                listed = line.ask("GET", "/v2/a/b/tags/list").json()["tags"]
                self.assertEqual(listed, ["v1"])
            deleting = lines[(lines.index(pushing) + 1) % 3]
            path = f"/v2/a/b/manifests/{Digest.of(image)}"
            self.assertEqual(deleting.ask("DELETE", path).status, 202)
            for line in lines:
                self.assertEqual(self.seen(line, "v1"), 404)
                self.assertEqual(self.seen(line, Digest.of(image)), 404)
        self.put(first, Digest.of(signature), signature)
        for line in (first, second):
            path = f"/v2/a/b/referrers/{Digest.of(image)}"
            (found,) = line.ask("GET", path).json()["manifests"]
            self.assertEqual(found["digest"], str(Digest.of(signature)))

    def push_config(self, line: Line) -> Digest:
        digest = Digest.of(b"{}")
        place = line.ask("POST", "/v2/a/b/blobs/uploads/").headers["Location"]
        got = line.ask("PUT", f"{place}&digest={digest}", b"{}")
        self.assertEqual(got.status, 201, got.body)
        return digest

    def mount_and_delete(self, first: Line, second: Line) -> None:
        path = f"/v2/c/d/blobs/uploads/?mount={DIGEST}&from=a/b"
        self.assertEqual(second.ask("POST", path).status, 201)
        blob = f"/v2/c/d/blobs/{DIGEST}"
        for line in (first, second):
            self.assertEqual(line.ask("HEAD", blob).status, 200)
            names = line.ask("GET", "/v2/_catalog").json()["repositories"]
            self.assertEqual(names, ["a/b", "c/d"])
        self.assertEqual(first.ask("DELETE", blob).status, 202)
        for line in (first, second):
            self.assertEqual(line.ask("HEAD", blob).status, 404)
            self.assertEqual(line.ask("GET", blob).status, 404)

    async def test_one_dies(self) -> None:
        """It loses its own connections; those of the other, and new ones, go on."""
        registries = await self.start_two()
        first, second = await self.lines(registries)
        await deferToThread(self.upload, first, second)
        slow = await deferToThread(self.begin_slowly, registries)
        await registries[0].process.end("KILL")
        self.assertEqual(await deferToThread(slow), BLOB)
        await deferToThread(self.ask_often, 50)
        with self.assertRaises((http.client.HTTPException, OSError)):
            await deferToThread(first.ask, "GET", "/v2/")
        again = await self.start_one("one")
        await self.lines([again, registries[1]])

    def begin_slowly(self, registries: list[Registry]) -> Callable[[], bytes]:
        """Begin a pull from the second, of which only the head is read yet."""
        one, two = (registry.process for registry in registries)
        connection = self.line_to(two, [one]).connection
        connection.request("GET", f"/v2/a/b/blobs/{DIGEST}")
        answer = connection.getresponse()
        return answer.read

    def ask_often(self, count: int) -> None:
        for _ in range(count):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            got = Line(connection).ask("HEAD", f"/v2/a/b/blobs/{DIGEST}")
            self.assertEqual(got.status, 200)
            connection.close()


class ClosedTests(SharedCase):
    """What is refused while others may use the directory."""

    async def test_refused(self) -> None:
        """A process that wants it alone, a second one with the same state, and a
        collection without consent."""
        registries = await self.start_two()
        config = str(self.directory / "one.yml")
        text = Path(config).read_text()
        alone = self.directory / "alone.yml"
        alone.write_text(text.replace("shared: true", "shared: false"))
        for path, state, expected in (
            (str(alone), "alone", "another process works on"),
            (config, "one", "another process works on"),
        ):
            output = await self.refused(path, state)
            self.assertIn(expected, output)
        with self.assertRaisesRegex(AssertionError, "say --unlocked"):
            await run(TXREGISTRY, "garbage-collect", config)
        for registry in registries:
            self.assertTrue(registry.process.running)
        told = await run(TXREGISTRY, "garbage-collect", "--unlocked", config)
        self.assertIn("0 repositories", told)

    async def refused(self, config: str, state: str) -> str:
        from tests.integration.support import TWISTD, start

        env = {"STATE_DIRECTORY": str(self.directory / f"state-{state}")}
        argv = (TWISTD, "-n", "--pidfile=", "registry", "-c", config)
        process = self.keep(start(*argv, env=env, cwd=str(self.directory)))
        await until(lambda: not process.running)
        return process.text()


class CacheTests(SharedCase):
    """Two caches in front of one upstream."""

    async def test_pulls(self) -> None:
        """What one has downloaded the other serves, and their own files are apart."""
        upstream, url = self.fake_upstream()
        digest = upstream.add_blob("a/b", BLOB)
        manifest = upstream.add_manifest("a/b", image_manifest(), "v1")
        registries = await self.start_two({"proxy": {"remoteurl": url}})
        lines = await self.lines(registries)
        for line in lines:
            got = await deferToThread(line.ask, "GET", f"/v2/a/b/blobs/{digest}")
            self.assertEqual(got.body, BLOB)
            got = await deferToThread(line.ask, "GET", "/v2/a/b/manifests/v1")
            self.assertEqual(got.headers["Docker-Content-Digest"], str(manifest))
            await until((self.root / "docker").exists)
            await until(lambda: not self.fills())
        self.assertEqual(upstream.count("GET", "/blobs/"), 1)
        for name in ("one", "two"):
            own = os.listdir(self.directory / f"state-{name}")
            self.assertLessEqual({"index.sqlite3", "control.sock"}, set(own))
        self.assertEqual(os.listdir(self.root / "txregistry"), ["lock"])

    def fills(self) -> list[str]:
        """Give the files of downloads; ``os.walk`` passes over what goes meanwhile."""
        return [
            os.path.join(place, name)
            for spool in self.directory.glob("state-*/spool")
            for place, _, names in os.walk(spool / "txregistry/fills")
            for name in names
        ]


class RaceTests(SharedCase):
    """Two requests for one upload at once, at both processes."""

    async def test_one_upload(self) -> None:
        """Whoever commits has what was hashed; the other one is refused, and nothing
        that is stored is damaged."""
        lines = await self.lines(await self.start_two())
        committed = 0
        for number in range(12):
            committed += await self.race(lines, number)
        self.assertGreater(committed, 0)
        self.assertFalse((self.root / "txregistry" / "damaged").exists())

    async def race(self, lines: list[Line], number: int) -> int:
        """Write other bytes at each process to one upload; give how many committed."""
        begun = await deferToThread(lines[0].ask, "POST", "/v2/r/blobs/uploads/")
        place, prefix = begun.headers["Location"], os.urandom(200_000)
        got = await deferToThread(lines[number % 2].ask, "PATCH", place, prefix)
        self.assertEqual(got.status, 202)
        contents = [prefix + os.urandom(300_000) for _ in lines]
        place = got.headers["Location"]
        done = [
            deferToThread(self.finish, line, place, content, len(prefix))
            for line, content in zip(lines, contents, strict=True)
        ]
        statuses = [await each for each in done]
        self.assertLessEqual(set(statuses), {201, 404, 416, 503})
        for line in lines:
            for status, content in zip(statuses, contents, strict=True):
                path = f"/v2/r/blobs/{Digest.of(content)}"
                found = await deferToThread(line.ask, "GET", path)
                self.assertEqual(found.status, 200 if status == 201 else 404)
                self.assertEqual(found.body == content, status == 201)
        return statuses.count(201)

    def finish(self, line: Line, place: str, content: bytes, offset: int) -> int:
        path = f"{place}&digest={Digest.of(content)}"
        return line.ask("PUT", path, content[offset:]).status
