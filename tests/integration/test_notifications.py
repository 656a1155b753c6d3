"""Notifications to a listener on a socket, beside those of Debian's registry."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any
from urllib.parse import urlsplit

import attrs
from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import Site

from tests.integration.support import IntegrationCase, Registry, require, sleep

IMAGE = "application/vnd.oci.image.manifest.v1+json"
BYTES = "application/octet-stream"
SECRET = "Bearer let-me-in"

Told = tuple[str, str | None, str | None]


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


@attrs.define(eq=False, slots=False)
class Listener(Resource):
    """Takes envelopes, or refuses them for a while."""

    isLeaf = True
    refuse: bool = False
    refused: int = 0
    events: list[dict[str, Any]] = attrs.field(factory=list)
    headers: list[tuple[str | None, str | None]] = attrs.field(factory=list)

    def __attrs_pre_init__(self) -> None:
        super().__init__()

    def render_POST(self, request: Any) -> bytes:
        if self.refuse:
            self.refused += 1
            request.setResponseCode(503)
            return b""
        found = ("authorization", "content-type")
        self.headers.append(tuple(request.getHeader(name) for name in found))
        self.events += json.loads(request.content.read())["events"]
        return b""

    def told(self) -> list[Told]:
        """Give what happened, to what, by which tag."""
        targets = [(event["action"], event["target"]) for event in self.events]
        return [(action, it.get("digest"), it.get("tag")) for action, it in targets]


class NotificationTests(IntegrationCase):
    """What a listener hears of pushes, pulls, mounts and deletions."""

    def setUp(self) -> None:
        super().setUp()
        self.listener, self.url = self.listen()

    def listen(self) -> tuple[Listener, str]:
        listener = Listener()
        port = reactor.listenTCP(0, Site(listener), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return listener, f"http://127.0.0.1:{port.getHost().port}/events"

    def settings(self, url: str) -> dict[str, Any]:
        endpoint = {
            "name": "listener",
            "url": url,
            "headers": {"Authorization": [SECRET]},
            "timeout": "5s",
            "threshold": 3,
            "backoff": "100ms",
        }
        return {"notifications": {"endpoints": [endpoint]}}

    async def ours(self) -> Registry:
        storage = {
            "filesystem": {"rootdirectory": str(self.directory / "ours")},
            "delete": {"enabled": True},
        }
        merge = {**self.settings(self.url), "storage": storage}
        return await self.daemon("ours", merge=merge)

    async def ask(
        self, method: str, url: str, body: bytes = b"", kind: str = BYTES
    ) -> tuple[int, str]:
        response = await self.http.request(
            method, url, data=body, headers={"Content-Type": kind, "Accept": IMAGE}
        )
        await response.content()
        (location,) = response.headers.getRawHeaders("location", [""])
        return response.code, location

    async def push_blob(self, registry: Registry, content: bytes) -> str:
        digest = digest_of(content)
        uploads = f"{registry.url}/v2/a/b/blobs/uploads/"
        _, location = await self.ask("POST", uploads)
        joint = "&" if urlsplit(location).query else "?"
        code, _ = await self.ask("PUT", f"{location}{joint}digest={digest}", content)
        self.assertEqual(code, 201)
        return digest

    def manifest(self, config: str, size: int) -> bytes:
        part = {"mediaType": BYTES, "digest": config, "size": size}
        return json.dumps(
            {"schemaVersion": 2, "mediaType": IMAGE, "config": part, "layers": [part]}
        ).encode()

    async def story(self, registry: Registry) -> list[Told]:
        """Do one of everything; give what a listener should hear."""
        content = b"content"
        blob = await self.push_blob(registry, content)
        base = f"{registry.url}/v2/a/b"
        image = self.manifest(blob, len(content))
        digest = digest_of(image)
        mount = f"{registry.url}/v2/c/d/blobs/uploads/?mount={blob}&from=a/b"
        done = [
            await self.ask("PUT", f"{base}/manifests/v1", image, IMAGE),
            await self.ask("GET", f"{base}/manifests/v1"),
            await self.ask("GET", f"{base}/blobs/{blob}"),
            await self.ask("POST", mount),
            await self.ask("DELETE", f"{base}/manifests/{digest}"),
        ]
        self.assertEqual([code for code, _ in done], [201, 200, 200, 201, 202])
        return [
            ("push", blob, None),
            ("push", digest, "v1"),
            ("pull", digest, "v1"),
            ("pull", blob, None),
            ("mount", blob, None),
            ("delete", digest, None),
            ("delete", None, "v1"),
        ]

    async def test_password_in_the_url(self) -> None:
        """A name and a password in the URL are sent as Basic, and told nowhere."""
        url = self.url.replace("://", "://ann:hush%40x@")
        settings = self.settings(url)
        del settings["notifications"]["endpoints"][0]["headers"]
        registry = await self.daemon("ours", merge=settings)
        await self.push_blob(registry, b"content")
        await self.hear(self.listener, 1)
        pair = base64.b64encode(b"ann:hush@x").decode()
        self.assertEqual({sent for sent, _ in self.listener.headers}, {f"Basic {pair}"})
        debug = f"http://127.0.0.1:{registry.debug_port}"
        told = registry.process.text()
        for path in ("/debug/vars", "/metrics", "/debug/health"):
            told += (await self.get(debug + path))[2].decode()
        for secret in ("hush", pair):
            self.assertNotIn(secret, told)

    async def hear(self, listener: Listener, count: int) -> None:
        for _ in range(600):
            if len(listener.events) >= count:
                return
            await sleep(0.05)
        raise AssertionError(listener.events)

    async def test_all_actions(self) -> None:
        """Each is told once and in order, with the headers that were configured."""
        ours = await self.ours()
        wanted = await self.story(ours)
        await self.hear(self.listener, len(wanted))
        await ours.process.end()
        self.assertEqual(self.listener.told(), wanted)
        for authorization, kind in self.listener.headers:
            self.assertEqual(authorization, SECRET)
            self.assertRegex(kind or "", r"distribution\.events\.v\d\+json$")

    async def test_as_docker_registry_tells(self) -> None:
        """The same story makes the same events, field by field."""
        require("docker-registry")
        other, url = self.listen()
        theirs = await self.debian_registry(merge=self.settings(url))
        wanted = await self.story(theirs)
        await self.hear(other, len(wanted))
        ours = await self.ours()
        await self.hear(self.listener, len(await self.story(ours)))
        self.assertEqual(
            [self.plain(event, ours) for event in self.listener.events],
            [self.plain(event, theirs) for event in other.events],
        )

    def plain(self, event: dict[str, Any], registry: Registry) -> dict[str, Any]:
        """Leave out what is of one moment, one process or one connection."""
        for name in ("id", "timestamp"):
            self.assertTrue(event.pop(name))
        for name in ("id", "addr"):
            self.assertTrue(event["request"].pop(name))
        for name in ("addr", "instanceID"):
            self.assertTrue(event["source"].pop(name))
        text = json.dumps(event).replace(registry.host, "registry")
        found: dict[str, Any] = json.loads(text)
        return found

    async def test_killed_while_nobody_listens(self) -> None:
        """What could not be told is told after a restart, once and in order."""
        self.listener.refuse = True
        ours = await self.ours()
        blobs = [await self.push_blob(ours, b"%d" % number) for number in range(20)]
        for _ in range(600):
            if self.listener.refused > 3:  # the threshold, and once more
                break
            await sleep(0.05)
        self.assertGreater(self.listener.refused, 3)
        await ours.process.end("KILL")
        self.listener.refuse = False
        again = await self.ours()
        blobs.append(await self.push_blob(again, b"last"))
        await self.hear(self.listener, len(blobs))
        wanted = [("push", digest, None) for digest in blobs]
        self.assertEqual(self.listener.told(), wanted)
        await self.is_empty(again)

    async def is_empty(self, registry: Registry) -> None:
        """Wait until the debug listener says that nothing is left to tell."""
        for _ in range(600):
            url = f"http://127.0.0.1:{registry.debug_port}/debug/vars"
            _, _, body = await self.get(url)
            (endpoint,) = json.loads(body)["registry"]["notifications"]["endpoints"]
            if endpoint["Metrics"]["Pending"] == 0:
                return
            await sleep(0.05)
        raise AssertionError(endpoint)
