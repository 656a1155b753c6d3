"""The admin pages of a real daemon, in Debian's Chromium."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from tests.integration.console_browser import CHROMIUM
from tests.integration.passwords import write_htpasswd
from tests.integration.support import (
    TWISTD,
    IntegrationCase,
    Registry,
    free_port,
    listens,
    require,
    run,
    start,
    until,
)
from tests.integration.tls import Authority
from txregistry.observe.history import SCHEMA, VERSION, _record
from txregistry.spec import mediatypes
from txregistry.testing.repositories import image_manifest

COMMAND = str(Path(sys.executable).parent / "txregistry")

#: Minutes of the history that were written before.
MINUTES = 200

MANIFEST, INDEX = mediatypes.OCI_MANIFEST, mediatypes.OCI_INDEX
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


class ConsoleTests(IntegrationCase):
    """Three upstreams, one of them down, one slow, and downloads under way."""

    timeout = 300

    async def begin(self, downloads: bool = True) -> None:
        """Start everything, with something to see."""
        require("docker-registry", CHROMIUM)
        corp = await self.debian_registry()
        slow, slow_url = self.fake_upstream()
        slow.rate = 200_000
        self.admin_port = free_port()
        self.write_history(self.directory / "cache")
        admin = {"addr": f"127.0.0.1:{self.admin_port}", "users": {"*": "operate"}}
        http = {"addr": f"127.0.0.1:{(port := free_port())}", "admin": admin}
        self.cache_ = await self.daemon(
            "cache",
            port,
            {
                "http": http,
                "proxy": {
                    "upstreams": {
                        "corp": {"remoteurl": corp.url},
                        "slow": {"remoteurl": slow_url},
                        "down": {"remoteurl": f"http://127.0.0.1:{free_port()}"},
                    }
                },
                "cache": {"maxsize": "200MB"},
            },
        )
        shared = os.urandom(300_000)
        for tag in ("v2", "v1"):
            own = os.urandom(200_000)
            digest = await self.push(corp, "org/app", tag, shared, own)
        signature = await self.sign(corp, "org/app", digest)
        await self.push(corp, "org/other", "v1", shared)
        for name, reference in (
            ("org/app", "v1"),
            ("org/app", "v2"),
            ("org/app", signature),
            ("org/other", "v1"),
        ):
            await self.pull(f"corp/{name}", reference)
        await self.get(f"{self.cache_.url}/v2/down/x/manifests/v1")
        content = os.urandom(1_000_000)
        image = json.loads(image_manifest(slow.add_blob("org/app", content)))
        image["config"]["size"] = len(content)
        slow.add_manifest("org/app", json.dumps(image).encode(), "v1")
        if downloads:
            digest = slow.add_blob("big", os.urandom(60_000_000))
            url = f"{self.cache_.url}/v2/slow/big/blobs/{digest}"
            await self.http.get(url, unbuffered=True)  # not read to its end

    def write_history(self, root: Path) -> None:
        """Let the daemon have been here for some hours."""
        (root / "txregistry").mkdir(parents=True)
        with sqlite3.connect(root / "txregistry" / "history.sqlite3") as db:
            db.executescript(SCHEMA)
            db.execute(f"PRAGMA user_version = {VERSION}")
            now = int(time.time())
            for minute in range(MINUTES, 0, -1):
                wave = 50 + 40 * ((minute // 20) % 3)
                counts = {
                    "hits": wave * 9.0,
                    "misses": wave / 3.0,
                    "stale": float(minute % 5),
                    "served_bytes": wave * 3e6,
                    "hit_bytes": wave * 2.8e6,
                    "miss_bytes": wave * 2e5,
                    "stale_bytes": 1000.0 * (minute % 5),
                    "pulled_bytes": wave * 2e5,
                    "questions": 10.0,
                    "asked_seconds": 0.4 + wave / 100,
                }
                _record(db, now - 60 * minute, counts, {"stored_bytes": 1e6})

    async def push(
        self, registry: Registry, name: str, tag: str, *layers: bytes
    ) -> str:
        """Push an index of two platforms; give its digest."""
        children = []
        for architecture in ("amd64", "arm64"):
            document = {"architecture": architecture, "os": "linux", "tag": tag}
            document["created"] = "2026-10-01T12:00:00Z"
            config = await self.blob(registry, name, json.dumps(document).encode())
            parts = [await self.blob(registry, name, layer) for layer in layers]
            manifest = {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {
                    "mediaType": "application/vnd.oci.image.config.v1+json",
                    **config,
                },
                "layers": [{"mediaType": LAYER, **part} for part in parts],
            }
            described = await self.manifest(registry, name, manifest)
            platform = {"architecture": architecture, "os": "linux"}
            children.append({**described, "platform": platform})
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": children}
        pushed = await self.manifest(registry, name, index, tag)
        return str(pushed["digest"])

    async def sign(self, registry: Registry, name: str, subject: str) -> str:
        """Push a manifest that refers to another one; give its digest."""
        config = await self.blob(registry, name, b"{}")
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": "application/vnd.dev.cosign.artifact.sig.v1+json",
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", **config},
            "layers": [],
            "subject": {"mediaType": INDEX, "digest": subject, "size": 1},
        }
        return str((await self.manifest(registry, name, manifest))["digest"])

    async def blob(
        self, registry: Registry, name: str, content: bytes
    ) -> dict[str, Any]:
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        begun = await self.http.post(f"{registry.url}/v2/{name}/blobs/uploads/")
        (place,) = begun.headers.getRawHeaders("Location")
        await begun.content()
        done = await self.http.put(f"{place}&digest={digest}", data=content)
        self.assertEqual(done.code, 201)
        return {"digest": digest, "size": len(content)}

    async def manifest(
        self, registry: Registry, name: str, document: dict[str, Any], tag: str = ""
    ) -> dict[str, Any]:
        content, kind = json.dumps(document).encode(), document["mediaType"]
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        url = f"{registry.url}/v2/{name}/manifests/{tag or digest}"
        done = await self.http.put(url, data=content, headers={"Content-Type": kind})
        self.assertEqual(done.code, 201)
        return {"mediaType": kind, "digest": digest, "size": len(content)}

    async def pull(self, name: str, reference: str) -> None:
        """Pull all of an image through the cache."""
        url = f"{self.cache_.url}/v2/{name}"
        accept = f"{INDEX}, {MANIFEST}"
        _, _, body = await self.get(f"{url}/manifests/{reference}", Accept=accept)
        document = json.loads(body)
        for child in document.get("manifests", ()):
            await self.pull(name, child["digest"])
        for part in [*document.get("layers", ()), document.get("config")]:
            if part is not None:
                await self.get(f"{url}/blobs/{part['digest']}")

    @property
    def admin(self) -> str:
        return f"http://127.0.0.1:{self.admin_port}"

    async def browse(self, task: str, other: str = "") -> None:
        """Have the browser do a task; fail with what it has found."""
        module = "tests.integration.console_browser"
        other = other or self.cache_.url
        await run(sys.executable, "-m", module, task, self.admin, other)

    async def test_pages(self) -> None:
        """Light and dark, small and large, with scripts and without, live."""
        await self.begin()
        await self.browse("look")
        await self.browse("plain")
        await self.browse("live")
        self.assertTrue(self.cache_.process.running)

    async def test_actions(self) -> None:
        """Each does what it says, and is on record."""
        await self.begin()
        await self.browse("act")
        await self.command_line()
        text = self.cache_.process.text()
        for action in ("purge", "pin", "unpin", "offline", "verify"):
            self.assertIn(f"action={action}", text)

    async def test_registry(self) -> None:
        """A registry of its own collects, and verifies."""
        require(CHROMIUM)
        self.admin_port = free_port()
        admin = {"addr": f"127.0.0.1:{self.admin_port}", "users": {"*": "operate"}}
        http = {"addr": f"127.0.0.1:{(port := free_port())}", "admin": admin}
        storage = {
            "filesystem": {"rootdirectory": str(self.directory / "registry")},
            "delete": {"enabled": True},
        }
        self.cache_ = await self.daemon(
            "registry", port, {"http": http, "storage": storage}
        )
        await self.push(self.cache_, "org/app", "v1", os.urandom(1000))
        digest = (await self.blob(self.cache_, "org/app", os.urandom(9000)))["digest"]
        url = f"{self.cache_.url}/v2/org/app/blobs/{digest}"
        self.assertEqual((await self.http.delete(url)).code, 202)
        [path] = self.directory.glob(f"registry/docker/**/{digest[7:]}/data")
        await self.browse("collect")
        self.assertTrue(path.exists())  # within the grace of a collection
        there = {"TXREGISTRY_ADMIN": self.admin}
        told = await run(COMMAND, "garbage-collect", "--grace", "0", "-d", env=there)
        self.assertIn(f"would delete sha256:{path.parent.name}", told)
        self.assertTrue(path.exists())
        await run(COMMAND, "garbage-collect", "--grace", "0", env=there)
        self.assertFalse(path.exists())

    async def command_line(self) -> None:
        """The command has the same done over the API."""
        there = {"TXREGISTRY_ADMIN": self.admin}

        async def said(*arguments: str) -> str:
            return await run(COMMAND, *arguments, env=there)

        image = "corp/org/app:v2"
        self.assertIn("corp", await said("status"))
        self.assertIn("parts", await said("warm", image))
        self.assertIn("ready", await said("ready", image))
        self.assertIn("linux/arm64", await said("explain", image))
        await said("pin", "corp/**")
        self.assertIn("corp/**", await said("pin"))
        await said("purge", image)
        with self.assertRaises(AssertionError):
            await said("ready", image)
        self.assertIn("0 damaged", await said("verify", "--quiet"))

    async def test_pictures(self) -> None:
        """Make pictures, where somebody has asked for them."""
        directory = os.environ.get("TXREGISTRY_PICTURES")
        if directory:
            await self.begin()
            await self.browse("pictures", directory)

    async def test_tls(self) -> None:
        """With the certificate of the registry, and a password, from elsewhere."""
        require("curl")
        authority = Authority(self.directory)
        issued = authority.issue("127.0.0.1")
        self.admin_port, port = free_port(), free_port()
        files = {"certificate": str(issued.certificate), "key": str(issued.key)}
        admin = {
            "addr": f"127.0.0.1:{self.admin_port}",
            "tls": True,
            "users": {"ann": "operate"},
        }
        passwords = self.directory / "htpasswd"
        write_htpasswd(passwords, ann="secret", bob="other")
        realm = {"realm": "r", "path": str(passwords)}
        http = {"addr": f"127.0.0.1:{port}", "tls": files, "admin": admin}
        path = self.directory / "tls.yml"
        section = {"filesystem": {"rootdirectory": str(self.directory / "tls")}}
        config = {"version": "0.1", "storage": section, "http": http}
        path.write_text(yaml.safe_dump({**config, "auth": {"htpasswd": realm}}))
        self.keep(start(TWISTD, "-n", "--pidfile=", "registry", "-c", str(path)))
        await until(lambda: listens(self.admin_port))
        there = f"https://127.0.0.1:{self.admin_port}"
        curl = ("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{http_version}")
        for user, said in (
            ("", "401 1.1"),
            ("bob:other", "403 1.1"),
            ("ann:secret", "200 1.1"),
        ):
            told = await run(
                *curl, "--cacert", str(authority.path), "-u", user or ":", f"{there}/"
            )
            self.assertEqual(told, said)
        env = {
            "TXREGISTRY_ADMIN": there.replace("//", "//ann:secret@"),
            "SSL_CERT_FILE": str(authority.path),
        }
        with self.assertRaises(AssertionError) as caught:
            await run(COMMAND, "status", env=env)
        self.assertIn("status is not done there", str(caught.exception))

    async def test_stop(self) -> None:
        """An open page does not hold up the end of the daemon."""
        await self.begin(downloads=False)
        answer = await self.http.get(f"{self.admin}/live", unbuffered=True)
        self.assertEqual(answer.code, 200)
        self.cache_.process.transport.signalProcess("TERM")
        await until(lambda: not self.cache_.process.running)
        self.assertNotIn("Traceback", self.cache_.process.text())
