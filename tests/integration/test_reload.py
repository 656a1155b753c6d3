"""A daemon that takes a changed configuration: by SIGHUP, and by the command."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress as ignored
from pathlib import Path
from typing import Any

import yaml
from treq.client import HTTPClient
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread
from twisted.internet.utils import getProcessOutputAndValue
from twisted.web.client import Agent, HTTPConnectionPool

from tests.integration.passwords import write_htpasswd
from tests.integration.support import (
    IntegrationCase,
    Registry,
    listens,
    require,
    sleep,
    start,
    until,
    which,
)
from tests.integration.test_tls import TlsCase

COMMAND = str(Path(sys.executable).parent / "txregistry")

MANIFEST = b'{"schemaVersion": 2, "mediaType": "%s"}' % (
    b"application/vnd.oci.image.index.v1+json"
)

#: Names of connections at the same time, of those who pull all the while.
CLIENTS = 4


class Reloads:
    """Changes the file of a daemon, and has it read again."""

    directory: Path

    def change(self, name: str, **values: Any) -> None:
        """Change keys of the file; dots are written as double underscores."""
        path = self.directory / f"{name}.yml"
        config = yaml.safe_load(path.read_text())
        for key, value in values.items():
            section = config
            *outer, last = key.split("__")
            for part in outer:
                section = section.setdefault(part, {})
            section[last] = value
        # As editors do: nobody reads half a file.
        fresh = path.with_suffix(".new")
        fresh.write_text(yaml.safe_dump(config))
        fresh.replace(path)

    async def hang_up(self, registry: Registry) -> str:
        """Reload by SIGHUP; give what the log says of it."""
        before = len(registry.process.text())

        def said() -> str:
            return registry.process.text()[before:]

        os.kill(registry.process.pid, signal.SIGHUP)
        await until(lambda: "(for SIGHUP)" in said())
        return said()

    async def command(self, *arguments: str) -> tuple[str, str, int]:
        out, err, status = await getProcessOutputAndValue(
            COMMAND, ("reload", *arguments), {**os.environ, "NO_PROXY": "*"}
        )
        return out.decode(), err.decode(), status

    def descriptors(self, registry: Registry) -> int:
        return len(os.listdir(f"/proc/{registry.process.pid}/fd"))


class CacheTests(IntegrationCase, Reloads):
    """A cache, and what is said to its upstream."""

    async def test_in_the_middle_of_a_download(self) -> None:
        """It goes on, is not begun again, and its end is right."""
        require("curl")
        upstream, url = self.fake_upstream()
        content = os.urandom(3_000_000)
        digest = upstream.add_blob("a", content)
        upstream.rate = 1_000_000
        cache = await self.cache(url)
        path = self.directory / "got"
        address = f"{cache.url}/v2/a/blobs/{digest}"
        command = ("curl", "-sS", "--limit-rate", "1M", "-o", str(path), address)
        client = self.keep(start(which("curl"), *command[1:]))
        await until(lambda: path.exists() and path.stat().st_size > 200_000)
        self.change("cache", proxy__tagttl="5s", proxy__connecttimeout="7s")
        said = await self.hang_up(cache)
        self.assertIn("changed: proxy.tagttl, proxy.connecttimeout", said)
        # Somebody who comes after it joins what is under way.
        second = Deferred.fromCoroutine(self.get(address))
        await client.output.ended
        self.assertEqual(path.read_bytes(), content, client.text())
        self.assertEqual((await second)[2], content)
        self.assertEqual(upstream.count("GET", str(digest)), 1)

    async def test_password_of_the_upstream(self) -> None:
        """A new password is what the upstream gets from then on."""
        upstream, url = self.fake_upstream()
        upstream.add_manifest("a", MANIFEST, "t")
        upstream.basic = "Basic dTpvbGQ="
        upstream.challenge = 'Basic realm="x"'
        cache = await self.cache(url, username="u", password="old", tagttl="0")
        tag = f"{cache.url}/v2/a/manifests/t"
        self.assertEqual((await self.get(tag))[0], 200)
        upstream.basic = "Basic dTpuZXc="
        self.change("cache", proxy__password="new")
        said = await self.hang_up(cache)
        self.assertIn("changed: proxy.password", said)
        self.assertNotIn("new\n", said)
        upstream.asked.clear()
        _, headers, _ = await self.get(tag)
        self.assertNotIn("stale", headers.getRawHeaders("cache-status")[0])
        await until(lambda: "authenticated to" in cache.process.text())
        given = [asked.headers.get("authorization") for asked in upstream.asked]
        self.assertNotIn("Basic dTpvbGQ=", given)

    async def test_another_upstream(self) -> None:
        """What is stored stays; what is asked is asked of the other one."""
        first, url = self.fake_upstream()
        second, other = self.fake_upstream()
        blob = first.add_blob("a", b"of the first")
        first.add_manifest("a", MANIFEST, "t")
        digest = second.add_manifest("a", MANIFEST + b" ", "t")
        cache = await self.cache(url, tagttl="1h")
        await self.get(f"{cache.url}/v2/a/manifests/t")
        await self.get(f"{cache.url}/v2/a/blobs/{blob}")
        await until(lambda: "downloaded:" in cache.process.text())
        self.change("cache", proxy__remoteurl=other, proxy__tagttl="0s")
        await self.hang_up(cache)
        _, headers, _ = await self.get(f"{cache.url}/v2/a/manifests/t")
        self.assertEqual(headers.getRawHeaders("docker-content-digest"), [str(digest)])
        code, _, body = await self.get(f"{cache.url}/v2/a/blobs/{blob}")
        self.assertEqual((code, body), (200, b"of the first"))
        host = other.removeprefix("http://")
        line = (
            "registry_proxy_upstream_seconds_count"
            f'{{method="GET",status="200",upstream="{host}"}}'
        )
        self.assertGreater(await self.metric(cache, line), 0.0)

    async def test_life_of_tags(self) -> None:
        """A shorter ``tagttl`` holds for tags that are known already."""
        upstream, url = self.fake_upstream()
        upstream.add_manifest("a", MANIFEST, "t")
        cache = await self.cache(url, tagttl="1h")
        tag = f"{cache.url}/v2/a/manifests/t"
        for _ in range(2):
            await self.get(tag)
        asked = len(upstream.asked)
        self.change("cache", proxy__tagttl="0")
        await self.hang_up(cache)
        await self.get(tag)
        self.assertGreater(len(upstream.asked), asked)

    async def test_under_load(self) -> None:
        """Two hundred reloads: no request fails, and nothing is left open."""
        upstream, url = self.fake_upstream()
        blob = upstream.add_blob("a", os.urandom(100_000))
        upstream.add_manifest("a", MANIFEST, "t")
        cache = await self.cache(
            url, username="u", password="p", merge={"log": {"level": "warn"}}
        )
        paths = (f"{cache.url}/v2/a/blobs/{blob}", f"{cache.url}/v2/a/manifests/t")
        stopped: list[bool] = []
        got: list[int] = []
        pool = HTTPConnectionPool(reactor)
        pool.maxPersistentPerHost = CLIENTS
        self.addCleanup(pool.closeCachedConnections)
        http = HTTPClient(Agent(reactor, pool=pool))

        async def pull() -> None:
            while not stopped:
                for path in paths:
                    response = await http.get(path)
                    got.append(response.code)
                    assert await response.content()

        pulling = [Deferred.fromCoroutine(pull()) for _ in range(CLIENTS)]
        await until(lambda: len(got) > 50)
        counts = []
        for number in range(200):
            self.change(
                "cache",
                proxy__password=f"p{number}",
                proxy__tagttl=f"{number}ms",
                http__limits__idletime=f"{60 + number}s",
                health__storagedriver={"enabled": bool(number % 2)},
                storage__maintenance={"uploadpurging": {"age": f"{number + 1}h"}},
            )
            # Without a look at the log: faster than one reload takes, at times.
            os.kill(cache.process.pid, signal.SIGHUP)
            await sleep(0.02)
            if number % 50 == 49:
                counts.append(self.descriptors(cache))
        before = len(got)
        await until(lambda: len(got) > before + 50)
        stopped.append(True)
        await gatherResults(pulling)
        self.assertEqual(set(got), {200})
        self.assertLess(max(counts) - min(counts), 25, counts)
        self.change("cache", log={"level": "info"})
        os.kill(cache.process.pid, signal.SIGHUP)
        await until(lambda: "changed: log.level" in cache.process.text())
        self.assertNotIn("Traceback", cache.process.text())

    async def test_while_it_drains(self) -> None:
        """A daemon that stops is changed no more, and says so."""
        upstream, url = self.fake_upstream()
        content = os.urandom(1_500_000)
        digest = upstream.add_blob("a", content)
        upstream.rate = 500_000
        cache = await self.cache(url)
        address = f"{cache.url}/v2/a/blobs/{digest}"
        pulling = Deferred.fromCoroutine(self.get(address))
        await until(lambda: upstream.count("GET", str(digest)) == 1)
        cache.process.transport.signalProcess("TERM")
        await until(lambda: not listens(cache.port))
        os.kill(cache.process.pid, signal.SIGHUP)
        await until(lambda: "the daemon stops" in cache.process.text())
        self.assertEqual((await pulling)[2], content)
        await cache.process.output.ended
        self.assertEqual(cache.process.output.status.signal, signal.SIGTERM)


class RegistryTests(IntegrationCase, Reloads):
    """A registry, and what its clients meet."""

    async def test_passwords(self) -> None:
        """Access control that is switched on, and off again, with clients connected."""
        registry = await self.daemon("registry")
        passwords = self.directory / "htpasswd"
        write_htpasswd(passwords, u="p")
        base = f"{registry.url}/v2/"
        self.assertEqual((await self.get(base))[0], 200)
        self.change(
            "registry", auth={"htpasswd": {"realm": "r", "path": str(passwords)}}
        )
        self.assertIn("changed: auth.htpasswd", await self.hang_up(registry))
        self.assertEqual((await self.get(base))[0], 401)
        good = {"Authorization": "Basic dTpw"}
        self.assertEqual((await self.get(base, **good))[0], 200)
        write_htpasswd(passwords, u="q")
        self.assertIn("nothing has changed", await self.hang_up(registry))
        self.assertEqual((await self.get(base, **good))[0], 401)
        self.change("registry", auth={})
        await self.hang_up(registry)
        self.assertEqual((await self.get(base))[0], 200)

    async def test_gate_and_log(self) -> None:
        """``readonly``, and the level of the log."""
        registry = await self.daemon("registry")
        uploads = f"{registry.url}/v2/a/blobs/uploads/"
        response = await self.http.post(uploads)
        self.assertEqual(response.code, 202)
        where = response.headers.getRawHeaders("location")[0]
        readonly = {"readonly": {"enabled": True}}
        self.change(
            "registry", storage__maintenance=readonly, log__accesslog={"disabled": True}
        )
        await self.hang_up(registry)
        self.assertEqual((await self.http.post(uploads)).code, 405)
        before = registry.process.text()
        self.assertEqual((await self.get(f"{registry.url}/v2/"))[0], 200)
        self.assertEqual(
            registry.process.text().count("GET /v2/ "), before.count("GET /v2/ ")
        )
        # An upload that had begun goes on when pushes are allowed again.
        self.change(
            "registry",
            storage__maintenance={},
            log={"level": "debug", "formatter": "json"},
        )
        await self.hang_up(registry)
        content = b"x" * 10
        response = await self.http.patch(where, data=content)
        self.assertEqual(response.code, 202)
        last = registry.process.text().strip().splitlines()[-2:]
        self.assertTrue(any(line.startswith("{") for line in last), last)

    async def test_in_the_middle_of_a_push(self) -> None:
        """A body that has begun is taken to its end, whatever may be pushed by then."""
        require("curl")
        registry = await self.daemon("registry")
        response = await self.http.post(f"{registry.url}/v2/a/blobs/uploads/")
        where = response.headers.getRawHeaders("location")[0]
        content = os.urandom(2_000_000)
        path = self.directory / "content"
        path.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        client = self.keep(
            start(
                *(which("curl"), "-sS", "--limit-rate", "1M", "-T", str(path)),
                *("-w", "%{http_code}", f"{where}&digest=sha256:{digest}"),
            )
        )
        await sleep(0.5)
        readonly = {"readonly": {"enabled": True}}
        self.change("registry", storage__maintenance=readonly)
        await self.hang_up(registry)
        self.assertTrue(client.running)
        await client.output.ended
        self.assertEqual(client.text(), "201")
        blob = f"{registry.url}/v2/a/blobs/sha256:{digest}"
        self.assertEqual((await self.get(blob))[2], content)

    async def test_what_systemd_is_told(self) -> None:
        """That a reload begins, with its time, and that it has ended, as it did."""
        path = str(self.directory / "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(path)
            manager.settimeout(0.1)
            registry = await self.daemon("registry", env={"NOTIFY_SOCKET": path})
            for level, expected in (("debug", "reloaded, changed"), ("loud", "failed")):
                self.change("registry", log={"level": level})
                await self.hang_up(registry)
                told = [*self.messages(manager)]
                reloading = next(x for x in told if x.startswith("RELOADING=1\n"))
                self.assertRegex(reloading, r"\nMONOTONIC_USEC=\d+")
                self.assertRegex(told[-1], rf"^READY=1\nSTATUS=.*{expected}")

    def messages(self, manager: socket.socket) -> Iterator[str]:
        """Give what has come, but for signs of life."""
        with ignored(TimeoutError):
            while True:
                text = manager.recv(1000).decode()
                if "RELOADING" in text or "READY" in text:
                    yield text

    async def test_broken_file(self) -> None:
        """All problems are in the log, and all is as it was."""
        registry = await self.daemon("registry", merge={"tags": {"maxtags": 10}})
        path = self.directory / "registry.yml"
        good = path.read_text()
        path.write_text(good + "log: {level: loud}\nauth: {htpasswd: {realm: x}}\n")
        said = await self.hang_up(registry)
        for expected in (
            "log.level: expected error or warn",
            "auth.htpasswd.path: is missing",
            "reload failed, the previous configuration stays in force",
        ):
            self.assertIn(expected, said)
        self.assertEqual((await self.get(f"{registry.url}/v2/"))[0], 200)
        path.write_text("a: [")
        self.assertIn("is not YAML", await self.hang_up(registry))
        path.unlink()
        self.assertIn("No such file", await self.hang_up(registry))
        path.write_text(good)
        self.assertIn("nothing has changed", await self.hang_up(registry))

    async def test_what_needs_a_restart(self) -> None:
        """Each key is named, each time; the rest is taken."""
        registry = await self.daemon("registry")
        self.change(
            "registry",
            http__addr="127.0.0.1:1",
            storage__filesystem__rootdirectory="/nowhere/else",
            storage__delete={"enabled": True},
        )
        for changed in ("storage.delete.enabled", "nothing"):
            said = await self.hang_up(registry)
            self.assertIn("http.addr has changed and needs a restart", said)
            self.assertIn("storage.filesystem.rootdirectory has changed", said)
            self.assertIn(f"reloaded, changed: {changed};", said)
        response = await self.http.delete(
            f"{registry.url}/v2/a/manifests/sha256:{'a' * 64}"
        )
        self.assertEqual(response.code, 404)

    async def test_the_command(self) -> None:
        """What it prints, and its status, for each outcome."""
        registry = await self.daemon("registry")
        path = str(self.directory / "registry.yml")
        socket = str(registry.root / "txregistry" / "control.sock")
        self.assertEqual(await self.command(path), ("nothing has changed\n", "", 0))
        self.change("registry", tags__maxtags=7)
        self.assertEqual(await self.command(path), ("changed: tags.maxtags\n", "", 0))
        user = pwd.getpwuid(os.geteuid()).pw_name
        self.assertIn(f"(for {user} (pid:", registry.process.text())
        self.change("registry", http__net="unix", http__addr="/nowhere")
        out, _, status = await self.command("--json", path)
        self.assertEqual(
            (status, [*json.loads(out)["restart"]]), (3, ["http.addr", "http.net"])
        )
        self.change("registry", log={"level": "loud"})
        for argument in (path, f"--socket={socket}"):
            out, err, status = await self.command(argument)
            self.assertEqual((out, status), ("", 78))
            self.assertIn("log.level: expected error", err)
        self.change("registry", log={})
        await registry.process.end()
        _, err, status = await self.command(path)
        self.assertEqual(status, 1)
        self.assertIn("no daemon answers", err)


class CertificateTests(TlsCase, Reloads):
    """``http.tls``, with connections that are open."""

    def subject(self, registry: Registry) -> str:
        """Give the serial number of the certificate that is shown now; blocks."""
        where = ("127.0.0.1", registry.port)
        with (
            socket.create_connection(where) as plain,
            self.context().wrap_socket(
                plain, server_hostname="127.0.0.1"
            ) as connection,
        ):
            return str((connection.getpeercert() or {})["serialNumber"])

    async def test_other_files(self) -> None:
        """New connections are shown them at once; an open one goes on."""
        registry = await self.serve({})
        first = await deferToThread(self.subject, registry)
        with (
            socket.create_connection(("127.0.0.1", registry.port)) as plain,
            self.context().wrap_socket(plain, server_hostname="127.0.0.1") as old,
        ):
            certificate, key = self.issue("another", 2).write(self.directory, "another")
            tls = {"certificate": str(certificate), "key": str(key)}
            self.change("registry", http__tls=tls)
            said = await self.hang_up(registry)
            self.assertIn("changed: http.tls.certificate, http.tls.key", said)
            self.assertNotEqual(await deferToThread(self.subject, registry), first)
            old.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertIn(b"200 OK", await deferToThread(old.recv, 1000))

    async def test_renewed_files(self) -> None:
        """Files of the same names are read by a reload, without any wait."""
        registry = await self.serve({})
        first = await deferToThread(self.subject, registry)
        self.issue("server", 2).write(self.directory, "server")
        self.assertIn("changed: http.tls", await self.hang_up(registry))
        self.assertNotEqual(await deferToThread(self.subject, registry), first)

    async def test_tls_that_ends(self) -> None:
        """It is spoken until the restart, though its files have gone."""
        registry = await self.serve({})
        first = await deferToThread(self.subject, registry)
        os.unlink(self.key)
        self.change("registry", http__tls={})
        said = await self.hang_up(registry)
        self.assertIn("TLS is enabled or disabled when the listener is opened", said)
        self.assertEqual(await deferToThread(self.subject, registry), first)

    async def test_files_that_cannot_be_used(self) -> None:
        """They are told, and the certificate of before is shown."""
        registry = await self.serve({})
        first = await deferToThread(self.subject, registry)
        Path(self.key).write_text("nothing")
        said = await self.hang_up(registry)
        self.assertIn("http.tls.key: holds no private key", said)
        self.assertEqual(await deferToThread(self.subject, registry), first)
