"""Real clients pull through the cache, with the upstream and then without it."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.web.server import Site

from tests.integration.images import Layout
from tests.integration.support import (
    IntegrationCase,
    Process,
    Registry,
    require,
    run,
    sleep,
    start,
    which,
)
from tests.integration.tokens import ISSUER, SERVICE, TokenServer

SINGLE, MULTI = "library/single", "library/multi"


class Clients:
    """Each pull begins with empty storage; each gives what it found."""

    def __init__(self, case: IntegrationCase, cache: Registry) -> None:
        self.case, self.cache = case, cache

    def fresh(self, name: str) -> Path:
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.case.directory))

    async def skopeo(self, name: str, *options: str) -> str:
        """Copy to a directory and check every file; give the digest of the top."""
        path = self.fresh("skopeo")
        await run(
            *(which("skopeo"), "copy", *options, "--src-tls-verify=false"),
            *(f"docker://{self.cache.host}/{name}:1", f"dir:{path}"),
        )
        for file in path.iterdir():
            if len(file.name) == 64:
                digest = hashlib.sha256(file.read_bytes()).hexdigest()
                self.case.assertEqual(digest, file.name)
        top = (path / "manifest.json").read_bytes()
        return "sha256:" + hashlib.sha256(top).hexdigest()

    async def podman(self, name: str) -> str:
        """Pull into new storage; give the digest that podman recorded."""
        path = self.fresh("p")
        common = (
            *(
                which("podman"),
                "--root",
                str(path / "r"),
                "--runroot",
                str(path / "rr"),
            ),
            *("--storage-driver", "vfs", "--cgroup-manager=cgroupfs"),
        )
        image = f"{self.cache.host}/{name}:1"
        await run(*common, "pull", "-q", "--tls-verify=false", image)
        inspected = await run(*common, "image", "inspect", image)
        return str(json.loads(inspected[inspected.index("[") :])[0]["Digest"])

    async def containerd(self, name: str) -> str:
        """Pull by a hosts.toml mirror into a new containerd; give the digest."""
        path = self.fresh("containerd")
        hosts = path / "certs.d" / "docker.io"
        hosts.mkdir(parents=True)
        (hosts / "hosts.toml").write_text(
            f'[host."{self.cache.url}"]\n  capabilities = ["pull", "resolve"]\n'
        )
        config = path / "config.toml"
        config.write_text(
            f'version = 2\nroot = "{path}/root"\nstate = "{path}/state"\n'
            'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
            f'[grpc]\n  address = "{path}/sock"\n'
        )
        process = self.case.keep(start(which("containerd"), "-c", str(config)))
        await _wait(path / "sock", process)
        ctr = (which("ctr"), "-a", str(path / "sock"), "images")
        image = f"docker.io/{name}:1"
        await run(
            *(*ctr, "pull", "--snapshotter", "native"),
            *("--hosts-dir", str(path / "certs.d"), image),
        )
        listed = await run(*ctr, "list", f"name=={image}")
        await process.end()
        return next(word for word in listed.split() if word.startswith("sha256:"))

    async def dockerd(self, name: str) -> str:
        """Pull by registry-mirrors into a new dockerd; give the image's id."""
        path = self.fresh("dockerd")
        config = path / "daemon.json"
        config.write_text(
            json.dumps(
                {
                    "registry-mirrors": [self.cache.url],
                    "insecure-registries": ["127.0.0.0/8"],
                }
            )
        )
        socket = f"unix://{path}/sock"
        process = self.case.keep(
            start(
                *(which("dockerd"), "--config-file", str(config), "-H", socket),
                *("--data-root", f"{path}/data", "--exec-root", f"{path}/exec"),
                *("-p", f"{path}/pid", "--storage-driver=vfs", "--iptables=false"),
                *("--ip6tables=false", "--bridge=none"),
            )
        )
        await _wait(path / "sock", process)
        docker = ("/usr/bin/docker", "-H", socket)
        await run(*docker, "pull", "-q", f"{name}:1")
        found = await run(*docker, "image", "inspect", "-f", "{{.Id}}", f"{name}:1")
        await process.end()
        return found.strip()


async def _wait(path: Path, process: Process) -> None:
    for _ in range(600):
        assert process.running, process.text()
        if path.exists():
            return
        await sleep(0.05)
    raise AssertionError(process.text())


class PullCase(IntegrationCase):
    """Images of one platform and of two, and registries that hold them."""

    timeout = 400

    def make_images(self) -> tuple[Layout, str, str, str]:
        layout = Layout(self.directory / "images")
        image = layout.image("amd64", 300_000, 2_000_000)
        single = layout.tag("single", image, index=False)
        manifest = self.read(layout, single)
        children = [image, layout.image("arm64", 500_000)]
        multi = layout.tag("multi", *children, index=True)
        return layout, single, multi, manifest["config"]["digest"]

    def read(self, layout: Layout, digest: str) -> Any:
        path = layout.path / "blobs" / "sha256" / digest.partition(":")[2]
        return json.loads(path.read_bytes())

    async def push(self, layout: Layout, upstream: Registry, *options: str) -> None:
        for tag, name, more in (("single", SINGLE, ()), ("multi", MULTI, ("--all",))):
            await run(
                *(which("skopeo"), "copy", *more, "--dest-tls-verify=false", *options),
                *(f"oci:{layout.path}:{tag}", f"docker://{upstream.host}/{name}:1"),
            )

    async def pull_all(
        self, cache: Registry, single: str, multi: str, id_: str
    ) -> None:
        clients = Clients(self, cache)
        self.assertEqual(await clients.skopeo(SINGLE), single)
        self.assertEqual(await clients.skopeo(MULTI, "--all"), multi)
        self.assertEqual(await clients.podman(SINGLE), single)
        self.assertEqual(await clients.containerd(SINGLE), single)
        self.assertEqual(await clients.containerd(MULTI), multi)
        self.assertEqual(await clients.dockerd(SINGLE), id_)
        self.assertEqual(await clients.dockerd(MULTI), id_)


class ClientTests(PullCase):
    """Open, and behind token authentication."""

    async def test_open_upstream(self) -> None:
        """All clients pull an image and an index; and again with the upstream gone."""
        require("skopeo", "podman", "containerd", "ctr", "dockerd")
        layout, *expected = self.make_images()
        upstream = await self.debian_registry()
        await self.push(layout, upstream)
        cache = await self.cache(upstream.url, tagttl="0s")
        await self.pull_all(cache, *expected)
        await upstream.process.end()
        await self.pull_all(cache, *expected)
        self.assertGreater(
            await self.metric(cache, 'registry_proxy_stale_total{type="tag"'), 0
        )

    async def test_token_authenticated_upstream(self) -> None:
        """The same through token authentication, with one token per repository."""
        require("skopeo", "podman", "containerd", "ctr", "dockerd")
        layout, *expected = self.make_images()
        tokens = TokenServer("robot", "s3cret")
        port = reactor.listenTCP(0, Site(tokens), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        realm = f"http://127.0.0.1:{port.getHost().port}/token"
        bundle = self.directory / "bundle.pem"
        tokens.write_bundle(bundle)
        auth = {
            "token": {
                "realm": realm,
                "service": SERVICE,
                "issuer": ISSUER,
                "rootcertbundle": str(bundle),
            }
        }
        upstream = await self.debian_registry(merge={"auth": auth})
        await self.push(layout, upstream, "--dest-creds", "robot:s3cret")
        tokens.asked.clear()
        cache = await self.cache(
            upstream.url,
            tagttl="0s",
            username="robot",
            password="s3cret",
            trustedrealms=[realm],
        )
        await self.pull_all(cache, *expected)
        scopes = [uri for uri in tokens.asked if "scope=" in uri]
        self.assertEqual(len(scopes), 2, scopes)
        await upstream.process.end()
        await self.pull_all(cache, *expected)
