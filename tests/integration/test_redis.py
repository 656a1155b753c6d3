"""Descriptors in a real redis, shared with Debian's registry."""

from __future__ import annotations

import contextlib
import hashlib
import signal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.integration.support import (
    TWISTD,
    IntegrationCase,
    Process,
    Registry,
    free_port,
    require,
    run,
    sleep,
    start,
    which,
)
from tests.integration.tls import Authority

COMMAND = str(Path(TWISTD).with_name("txregistry"))
CONTENT = b"content"
DIGEST = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
PASSWORD = "open sesame"


class RedisCase(IntegrationCase):
    """A redis, and registries of one directory that share it."""

    def setUp(self) -> None:
        super().setUp()
        require("redis-server", "redis-cli")
        self.port = free_port()
        self.redis: Process | None = None

    async def start_redis(self, *more: str) -> None:
        common = ("--save", "", "--bind", "127.0.0.1", "--dir", str(self.directory))
        port = more or ("--port", str(self.port))
        command = which("redis-server")
        self.redis = self.keep(start(command, *common, "--daemonize", "no", *port))
        for _ in range(300):
            if b"Ready to accept" in self.redis.output.text:
                return
            assert self.redis.running, self.redis.text()
            await sleep(0.05)
        raise AssertionError(self.redis.text())

    async def cli(self, *words: str) -> str:
        answer = await run(which("redis-cli"), "-p", str(self.port), *words)
        return answer.strip()

    def settings(self, **redis: Any) -> dict[str, Any]:
        return {
            "storage": {
                "filesystem": {"rootdirectory": str(self.directory / "shared")},
                "cache": {"blobdescriptor": "redis"},
                "delete": {"enabled": True},
            },
            "redis": {"addr": f"127.0.0.1:{self.port}", **redis},
        }

    async def ours(self, **redis: Any) -> Registry:
        redis.setdefault("readtimeout", "500ms")
        return await self.daemon("shared", merge=self.settings(**redis))

    async def theirs(self) -> Registry:
        return await self.debian_registry("shared", merge=self.settings())

    async def ask(self, method: str, url: str, body: bytes = b"") -> Any:
        kind = {"Content-Type": "application/octet-stream"}
        response = await self.http.request(method, url, data=body, headers=kind)
        await response.content()
        return response

    async def push(self, registry: Registry, content: bytes = CONTENT) -> str:
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        begun = await self.ask("POST", f"{registry.url}/v2/a/b/blobs/uploads/")
        (location,) = begun.headers.getRawHeaders("location")
        joint = "&" if urlsplit(location).query else "?"
        done = await self.ask("PUT", f"{location}{joint}digest={digest}", content)
        self.assertEqual(done.code, 201)
        return digest

    def blob(self, registry: Registry, digest: str = DIGEST) -> str:
        return f"{registry.url}/v2/a/b/blobs/{digest}"

    async def size(self, registry: Registry, digest: str = DIGEST) -> int | None:
        """Give the length that a registry tells; ``None`` where there is nothing."""
        answer = await self.ask("HEAD", self.blob(registry, digest))
        if answer.code == 404:
            return None
        self.assertEqual(answer.code, 200)
        (length,) = answer.headers.getRawHeaders("content-length")
        return int(length)

    async def connected(self) -> None:
        """Wait until the daemon has its connections."""
        for _ in range(1200):
            clients = await self.cli("client", "list")
            if len(clients.splitlines()) > 1:  # and the one that asks
                return
            await sleep(0.05)
        raise AssertionError(clients)

    def link(self) -> Path:
        v2 = self.directory / "shared" / "docker" / "registry" / "v2"
        digits = DIGEST.removeprefix("sha256:")
        return v2 / "repositories/a/b/_layers/sha256" / digits / "link"


class SharedTests(RedisCase):
    """What one registry writes to redis, the other reads."""

    async def test_we_read_what_docker_registry_wrote(self) -> None:
        """We find its entry; but how large a blob is, its file says."""
        await self.start_redis()
        theirs = await self.theirs()
        await self.push(theirs)
        self.assertEqual(await self.size(theirs), 7)
        ours = await self.ours()
        await self.connected()
        self.assertEqual(await self.size(ours), 7)
        line = 'registry_storage_cache_total{type="Hit"}'
        self.assertEqual(await self.metric(ours, line), 1)
        await self.cli("hset", f"blobs::{DIGEST}", "size", "8")
        self.assertEqual(await self.size(ours), 7)
        self.assertEqual(await self.metric(ours, line), 2)

    async def test_docker_registry_reads_what_we_wrote(self) -> None:
        """It finds by our entry what it could not find by the link any more."""
        await self.start_redis()
        ours = await self.ours()
        await self.connected()
        await self.push(ours)
        self.assertEqual(await self.size(ours), 7)
        theirs = await self.theirs()
        self.link().unlink()
        self.assertEqual(await self.size(theirs), 7)
        # We believe no entry about who may see what.
        self.assertIsNone(await self.size(ours))

    async def test_deleted(self) -> None:
        """What we delete is gone for the other at once."""
        await self.start_redis()
        ours, theirs = await self.ours(), await self.theirs()
        await self.connected()
        await self.push(theirs)
        for registry in (ours, theirs):
            self.assertEqual(await self.size(registry), 7)
        answer = await self.ask("DELETE", self.blob(ours))
        self.assertEqual(answer.code, 202)
        self.assertEqual(await self.cli("keys", "*"), "")
        for registry in (ours, theirs):
            self.assertIsNone(await self.size(registry))

    async def test_collected(self) -> None:
        """Content that is collected leaves no entry, with a daemon and without."""
        await self.start_redis()
        ours = await self.ours()
        await self.connected()
        for with_daemon in (True, False):
            await self.push(ours)
            self.assertEqual(await self.size(ours), 7)
            self.link().unlink()
            if not with_daemon:
                await ours.process.end()
            config = str(self.directory / "shared.yml")
            await run(COMMAND, "garbage-collect", "--grace=0", config)
            entry = await self.cli("exists", f"blobs::{DIGEST}")
            self.assertEqual(entry, "0")


class OutageTests(RedisCase):
    """A redis that is away costs nobody an answer."""

    async def whole_round(self, registry: Registry, content: bytes) -> None:
        digest = await self.push(registry, content)
        self.assertEqual(await self.size(registry, digest), len(content))
        _, _, body = await self.get(self.blob(registry, digest))
        self.assertEqual(body, content)
        answer = await self.ask("DELETE", self.blob(registry, digest))
        self.assertEqual(answer.code, 202)
        self.assertIsNone(await self.size(registry, digest))

    async def test_never_there(self) -> None:
        """A daemon starts and serves without it."""
        ours = await self.ours()
        await self.whole_round(ours, b"one")

    async def test_hangs_then_dies(self) -> None:
        """Neither silence nor a lost connection is seen by clients."""
        await self.start_redis()
        ours = await self.ours()
        await self.connected()
        await self.whole_round(ours, b"one")
        assert self.redis is not None
        self.redis.transport.signalProcess(signal.SIGSTOP)
        await self.whole_round(ours, b"two")
        self.redis.transport.signalProcess(signal.SIGCONT)
        await self.redis.end("KILL")
        await self.whole_round(ours, b"three")
        self.assertIn("redis failed", ours.process.text())

    async def test_back_again(self) -> None:
        """What was deleted meanwhile is forgotten when it is back."""
        await self.start_redis()
        ours = await self.ours()
        await self.connected()
        await self.push(ours)
        self.assertEqual(await self.size(ours), 7)
        await self.cli("client", "pause", "2000")
        answer = await self.ask("DELETE", self.blob(ours))
        self.assertEqual(answer.code, 202)
        other = await self.push(ours, b"other")
        for _ in range(1200):
            await self.size(ours, other)  # whoever asks next, when it is left alone
            if await self.cli("exists", f"blobs::{DIGEST}") == "0":  # no more
                break
            await sleep(0.1)
        self.assertEqual(await self.cli("exists", f"blobs::{DIGEST}"), "0")
        self.assertIsNone(await self.size(ours))


class AccessTests(RedisCase):
    """Passwords and TLS."""

    async def test_password(self) -> None:
        """The right one lets us in, a wrong one is told and costs nothing else."""
        plain = ("--port", str(self.port))
        await self.start_redis(*plain, "--requirepass", PASSWORD)
        ours = await self.ours(password=PASSWORD)
        await self.push(ours)
        await self.remembered(ours, "--no-auth-warning", "-a", PASSWORD)
        await ours.process.end()
        wrong = await self.ours(password="wrong")
        for _ in range(1200):
            self.assertEqual(await self.size(wrong), 7)
            if "login to redis failed" in wrong.process.text():
                return
            await sleep(0.05)
        raise AssertionError(wrong.process.text())

    async def test_login_that_hangs(self) -> None:
        """A login without an answer is tried again, and let in when there is one."""
        plain = ("--port", str(self.port))
        await self.start_redis(*plain, "--requirepass", PASSWORD)
        assert self.redis is not None
        self.redis.transport.signalProcess(signal.SIGSTOP)
        ours = await self.ours(password=PASSWORD)
        for _ in range(1200):
            if "login to redis failed" in ours.process.text():
                break
            await sleep(0.05)
        self.assertIn("login to redis failed", ours.process.text())
        self.redis.transport.signalProcess(signal.SIGCONT)
        await self.push(ours)
        await self.remembered(ours, "--no-auth-warning", "-a", PASSWORD)

    async def test_stop_while_it_hangs(self) -> None:
        """A server that says no more over TLS does not keep a daemon from ending."""
        trusting, ours = await self.over_tls()
        await self.remembered(ours, *trusting)
        assert self.redis is not None
        self.redis.transport.signalProcess(signal.SIGSTOP)
        await ours.process.end()
        self.redis.transport.signalProcess(signal.SIGCONT)

    async def over_tls(self) -> tuple[tuple[str, ...], Registry]:
        """Start both; give what redis-cli needs to trust the server as well."""
        authority = Authority(self.directory / "tls")
        issued = authority.issue("redis")
        await self.start_redis(
            *("--port", "0", "--tls-port", str(self.port)),
            *("--tls-cert-file", str(issued.certificate)),
            *("--tls-key-file", str(issued.key)),
            *("--tls-ca-cert-file", str(authority.path)),
            *("--tls-auth-clients", "no"),
        )
        ours = await self.ours(tls={"rootcas": [str(authority.path)]})
        await self.push(ours)
        return ("--tls", "--cacert", str(authority.path)), ours

    async def test_tls(self) -> None:
        """A server is asked over TLS, and only if its authority is ours."""
        trusting, ours = await self.over_tls()
        await self.remembered(ours, *trusting)
        await ours.process.end()
        await self.cli(*trusting, "flushall")
        other = Authority(self.directory / "other")
        strict = await self.ours(tls={"rootcas": [str(other.path)]})
        for _ in range(20):  # long enough to connect, if it would
            self.assertEqual(await self.size(strict), 7)
            await sleep(0.05)
        self.assertEqual(await self.cli(*trusting, "dbsize"), "0")

    async def remembered(self, registry: Registry, *options: str) -> None:
        """Wait until what was pushed is in redis."""
        for _ in range(1200):
            self.assertEqual(await self.size(registry), 7)
            if await self.cli(*options, "exists", f"blobs::{DIGEST}") == "1":
                return
            await sleep(0.05)
        raise AssertionError(registry.process.text())


class SentinelTests(RedisCase):
    """A master, its replica, and a Sentinel that watches them."""

    async def begin(self, *words: str) -> Process:
        process = self.keep(start(which("redis-server"), *words))
        for _ in range(600):
            if any(word in process.output.text for word in (b"Ready", b"Sentinel ID")):
                return process
            assert process.running, process.text()
            await sleep(0.05)
        raise AssertionError(process.text())

    async def begin_server(self, port: int, *more: str) -> Process:
        common = ("--save", "", "--bind", "127.0.0.1", "--dir", str(self.directory))
        return await self.begin("--port", str(port), *common, *more)

    async def begin_sentinel(self) -> int:
        port, path = free_port(), self.directory / "sentinel.conf"
        path.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {self.directory}\n"
            f"sentinel monitor mine 127.0.0.1 {self.port} 1\n"
            "sentinel down-after-milliseconds mine 500\n"
            "sentinel failover-timeout mine 3000\n"
        )
        await self.begin(str(path), "--sentinel")
        return port

    async def remember(self, registry: Registry, content: bytes) -> None:
        """Push until the redis that is asked now remembers a descriptor."""
        digest = await self.push(registry, content)
        for _ in range(600):
            await self.size(registry, digest)
            # A server that becomes the master closes all connections.
            with contextlib.suppress(AssertionError):
                if await self.cli("exists", f"blobs::{digest}") == "1":
                    return
            await sleep(0.1)
        raise AssertionError(registry.process.text())

    async def test_failover(self) -> None:
        """When the master dies, its replica is asked; no request fails meanwhile."""
        master = await self.begin_server(self.port)
        port = free_port()
        await self.begin_server(port, "--replicaof", "127.0.0.1", str(self.port))
        watching = await self.begin_sentinel()
        addresses = [f"127.0.0.1:{free_port()}", f"127.0.0.1:{watching}"]
        settings = self.settings(
            addrs=addresses, mastername="mine", readtimeout="500ms"
        )
        del settings["redis"]["addr"]
        ours = await self.daemon("shared", merge=settings)
        await self.remember(ours, b"one")
        for _ in range(600):  # a Sentinel learns of replicas every ten seconds
            known = await run(
                which("redis-cli"), "-p", str(watching), "sentinel", "replicas", "mine"
            )
            if str(port) in known:
                break
            await sleep(0.1)
        await master.end("KILL")
        self.assertEqual(await self.size(ours, await self.push(ours, b"two")), 3)
        self.port = port
        await self.remember(ours, b"three")
        self.assertIn("Sentinel names", ours.process.text())
