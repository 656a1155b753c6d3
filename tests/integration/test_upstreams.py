"""Real clients and three upstreams behind one cache."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from treq.client import HTTPClient
from twisted.internet import reactor
from twisted.web.client import Agent
from twisted.web.server import Site

from tests.integration.clients import (
    Client,
    Containerd,
    Door,
    Podman,
    Skopeo,
    digest_of,
    exists,
)
from tests.integration.images import Layout
from tests.integration.passwords import write_htpasswd
from tests.integration.support import (
    IntegrationCase,
    Process,
    Registry,
    free_port,
    output,
    require,
    run,
    which,
)
from tests.integration.tls import Authority
from tests.integration.tokens import ISSUER, SERVICE, TokenServer

COMMAND = str(Path(sys.executable).parent / "txregistry")
NAME = "org/app"

#: What clients call each upstream: as a host, and by path at the cache.
HOSTS = {"open": "docker.io", "token": "token.example", "corp": "corp.example"}
PATHS = {"open": NAME, "token": f"token.example/{NAME}", "corp": f"corp/{NAME}"}


class Mirrored(Containerd):
    """A containerd whose hosts.toml send it to the cache, with ``ns=``."""

    async def begin(self) -> None:
        await super().begin()
        for host in HOSTS.values():
            directory = self.path / "hosts" / host
            directory.mkdir(parents=True)
            (directory / "hosts.toml").write_text(
                f'server = "http://127.0.0.1:1"\n[host."http://{self.door.host}"]\n'
                '  capabilities = ["pull", "resolve"]\n'
            )

    async def pull_from(self, host: str) -> str:
        """Pull from a host; give the digest on top."""
        image = f"{host}/{NAME}:1"
        await self._ctr(
            *("pull", "--hosts-dir", str(self.path / "hosts")),
            *("--snapshotter", "native", image),
        )
        return await self._digest(image)


class Mirroring(Client):
    """A dockerd with the cache as its registry mirror."""

    async def pull(self) -> str:
        """Pull from Docker Hub, as it believes; give the image's id."""
        path = self.fresh()
        config, url = path / "daemon.json", f"unix://{path}/sock"
        settings = {
            "registry-mirrors": [f"http://{self.door.host}"],
            "insecure-registries": ["127.0.0.0/8"],
        }
        config.write_text(json.dumps(settings))
        process = self.start(
            *(which("dockerd"), "--config-file", str(config), "-H", url),
            *("--data-root", f"{path}/data", "--exec-root", f"{path}/exec"),
            *("-p", f"{path}/pid", "--storage-driver=vfs", "--iptables=false"),
            *("--ip6tables=false", "--bridge=none"),
        )
        await exists(path / "sock", process)
        docker = ("/usr/bin/docker", "-H", url)
        await run(*docker, "pull", "-q", f"{NAME}:1")
        found = await run(*docker, "image", "inspect", "-f", "{{.Id}}", f"{NAME}:1")
        await process.end()
        return found.strip()


class UpstreamsTests(IntegrationCase):
    """One open, one behind tokens, one behind Basic with a CA and a path of its own."""

    timeout = 400

    async def test_three(self) -> None:
        """Pulls are equal by host and by path, also while upstreams are away."""
        require("skopeo", "podman", "containerd", "ctr", "dockerd")
        self.make_images()
        await self.start_upstreams()
        cache = await self.start_cache()
        door = Door(cache.host)
        self.skopeo, containerd = Skopeo(self, door), Mirrored(self, door)
        self.podman, dockerd = Podman(self, door), Mirroring(self, door)
        await containerd.begin()
        for key, digest in self.digests.items():
            self.assertEqual(await containerd.pull_from(HOSTS[key]), digest)
        await self.check_bytes(cache)
        await self.pull_by_path()
        self.assertEqual(await dockerd.pull(), self.config_of("open"))
        for key in HOSTS:
            await self.running[key].end()
            await self.pull_by_path(podman=False)
            await self.start_upstream(key)
        for process in self.running.values():
            await process.end()
        await containerd.forget()
        for key, digest in self.digests.items():
            self.assertEqual(await containerd.pull_from(HOSTS[key]), digest)
        await self.pull_by_path()
        self.assertEqual(await dockerd.pull(), self.config_of("open"))
        await self.check_strangers(cache)

    async def test_air_gap(self) -> None:
        """What ready says yes to is pulled when no upstream is there any more."""
        require("skopeo")
        self.make_images()
        await self.start_upstreams()
        cache = await self.start_cache()
        self.config = str(self.directory / "cache.yml")
        wanted = self.directory / "wanted"
        names = [f"{PATHS[key]}:1" for key in HOSTS]
        wanted.write_text("# what the site needs\n" + "\n".join(names))
        listed = ("--file", str(wanted))
        with self.assertRaises(AssertionError) as caught:
            await self.tell("ready", *listed)
        self.assertIn(f"{names[0]}: not here", str(caught.exception))
        warmed = json.loads(await self.tell("warm", "--json", *listed))
        self.assertEqual([item["parts"] for item in warmed["images"]], [4, 4, 4])
        said = await self.tell("ready", "--platform", "linux/amd64", *listed)
        self.assertEqual(said, "".join(f"{name}: ready\n" for name in names))
        for process in self.running.values():
            await process.end()
        skopeo = Skopeo(self, Door(cache.host))
        for key, digest in self.digests.items():
            self.assertEqual(await skopeo.pull(PATHS[key]), digest)
        (known,) = json.loads(await self.tell("explain", "--json", names[1]))["images"]
        self.assertEqual(known["answer"]["status"], 200)
        self.assertIn("txregistry; hit", known["answer"]["cache_status"])
        self.assertIn("last answer: 200", await self.tell("explain", names[1]))
        status = json.loads(await self.tell("status", "--json"))
        self.assertEqual(
            {item["name"] for item in status["upstreams"][1:]},
            {"token.example", "corp"},
        )
        self.assertGreater(status["disk"]["usage"]["stored"], 3 * 200_000)
        self.assertIn("no upstream", await self.tell("offline", "on"))
        self.assertEqual(await self.tell("pin", "corp/**"), "corp/**: pinned\n")
        self.assertEqual(await self.tell("pin"), "corp/**\n")
        self.assertIn("unpinned", await self.tell("unpin", "corp/**"))
        await self.tell("purge", "--upstream", "corp")
        self.assertIn("not here", await self.fails("explain", names[2]))
        self.assertIn("corp", await self.fails("refresh", names[2]))

    async def test_memory_stick(self) -> None:
        """What one cache has is carried to another one that no link leads to."""
        require("skopeo")
        self.make_images()
        await self.start_upstreams()
        await self.start_cache()
        self.config = str(self.directory / "cache.yml")
        stick, tar = self.directory / "stick", self.directory / "more.tar"
        names = [f"{PATHS[key]}:1" for key in HOSTS]
        self.assertIn("not here", await self.fails("export", names[0], str(stick)))
        self.assertFalse(stick.exists())
        await self.tell("warm", *names)
        written = json.loads(await self.tell("export", "--json", *names, str(stick)))
        self.assertEqual([item["written"] for item in written["images"]], [4, 3, 3])
        await self.check_layout(stick, names[1])
        for process in self.running.values():
            await process.end()
        home, away = self.config, await self.start_cache("away")
        self.config = str(self.directory / "away.yml")
        taken = json.loads(await self.tell("import", "--json", str(stick)))
        self.assertEqual([item["sent"] for item in taken["images"]], [3, 2, 2])
        skopeo = Skopeo(self, Door(away.host))
        for key, digest in self.digests.items():
            self.assertEqual(await skopeo.pull(PATHS[key]), digest)
        self.assertIn("ready", await self.tell("ready", *names))
        # A second image with a layer that is there already.
        had = self.directory / "had"
        had.write_text(await self.tell("export", "--list", *names))
        self.config = home
        digest = await self.push_second()
        await self.tell("warm", f"{NAME}:2")
        second = ("export", "--json", "--have", str(had), f"{NAME}:2", str(tar))
        (written,) = json.loads(await self.tell(*second))["images"]
        self.assertEqual((written["written"], written["there"]), (3, 1))
        self.config = str(self.directory / "away.yml")
        self.assertIn("4 parts, 2 sent", await self.tell("import", str(tar)))
        self.assertEqual(await skopeo.pull(NAME, tag="2"), digest)
        self.assertIn("0 sent", await self.tell("import", str(tar)))
        await self.carry_into_registry(stick, tar)

    async def check_layout(self, stick: Path, name: str) -> None:
        """Read it as others do."""
        copied = self.directory / "copied"
        await run(
            *(which("skopeo"), "copy", f"oci:{stick}:{name}", f"dir:{copied}"),
        )
        self.assertEqual(
            digest_of((copied / "manifest.json").read_bytes()), self.digests["token"]
        )

    async def push_second(self) -> str:
        """Give the open upstream a second image."""
        image = self.layout.image("amd64", self.shared, 300_000)
        digest = self.layout.tag("second", image, index=False)
        await self.start_upstream("open")
        await run(
            *(which("skopeo"), "copy", "--dest-tls-verify=false"),
            f"oci:{self.layout.path}:second",
            f"docker://127.0.0.1:{self.ports['open']}/{NAME}:2",
        )
        return digest

    async def carry_into_registry(self, stick: Path, tar: Path) -> None:
        """A registry takes whole layouts, by whatever name, and no part of one."""
        registry = await self.daemon("plain")
        self.config = str(self.directory / "plain.yml")
        said = await self.fails("import", str(tar))
        self.assertIn("neither in the layout nor here", said)
        name = f"{PATHS['corp']}:1"
        await self.tell("import", "--name", "team/app:7", str(stick), name)
        skopeo = Skopeo(self, Door(registry.host))
        self.assertEqual(await skopeo.pull("team/app", tag="7"), self.digests["corp"])

    async def tell(self, *words: str) -> str:
        return await output(COMMAND, words[0], "-c", self.config, *words[1:])

    async def fails(self, *words: str) -> str:
        with self.assertRaises(AssertionError) as caught:
            await self.tell(*words)
        return str(caught.exception)

    def make_images(self) -> None:
        """Make an image for each, which share a layer, and one name."""
        self.layout = Layout(self.directory / "images")
        self.shared = os.urandom(1_000_000)
        self.digests = {
            key: self.layout.tag(
                key, self.layout.image("amd64", self.shared, 200_000), index=False
            )
            for key in HOSTS
        }

    def read(self, digest: str) -> Any:
        hexadecimal = digest.partition(":")[2]
        return json.loads((self.layout.path / "blobs/sha256" / hexadecimal).read_text())

    def config_of(self, key: str) -> str:
        return str(self.read(self.digests[key])["config"]["digest"])

    async def start_upstreams(self) -> None:
        self.authority = Authority(self.directory / "authority")
        self.http = HTTPClient(Agent(reactor, self.authority.policy()))
        self.ports = {key: free_port() for key in HOSTS}
        self.running: dict[str, Process] = {}
        self.settings = {
            "open": {},
            "token": {"auth": {"token": self.start_tokens()}},
            "corp": self.corp_settings(),
        }
        for key in HOSTS:
            await self.fill(key)
            await self.start_upstream(key)

    async def start_upstream(self, key: str) -> None:
        port, merge = self.ports[key], self.settings[key]
        url = f"https://127.0.0.1:{port}/base/v2/" if key == "corp" else ""
        found = await self.debian_registry(key, port, merge=merge, url=url)
        self.running[key] = found.process

    def corp_settings(self) -> dict[str, Any]:
        """Give the settings of a registry with logins, TLS and a path."""
        users, issued = (
            self.directory / "htpasswd",
            self.authority.issue("corp.example"),
        )
        write_htpasswd(users, robot="s3cret")
        tls = {"certificate": str(issued.certificate), "key": str(issued.key)}
        return {
            "auth": {"htpasswd": {"realm": "corp", "path": str(users)}},
            "http": {
                "addr": f"127.0.0.1:{self.ports['corp']}",
                "prefix": "/base/",
                "tls": tls,
            },
        }

    def start_tokens(self) -> dict[str, str]:
        """Start a token server; give what a registry says of it."""
        tokens = TokenServer("robot", "s3cret")
        port = reactor.listenTCP(0, Site(tokens), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.realm = f"http://127.0.0.1:{port.getHost().port}/token"
        bundle = self.directory / "bundle.pem"
        tokens.write_bundle(bundle)
        return {
            "realm": self.realm,
            "service": SERVICE,
            "issuer": ISSUER,
            "rootcertbundle": str(bundle),
        }

    async def fill(self, key: str) -> None:
        """Push what an upstream is to have, before it has a path and wants a login."""
        registry = await self.debian_registry(key)
        await run(
            *(which("skopeo"), "copy", "--dest-tls-verify=false"),
            f"oci:{self.layout.path}:{key}",
            f"docker://{registry.host}/{NAME}:1",
        )
        await registry.process.end()

    async def start_cache(self, name: str = "cache") -> Registry:
        login = {"username": "robot", "password": "s3cret"}
        url = f"http://127.0.0.1:{self.ports['token']}"
        corp = f"https://127.0.0.1:{self.ports['corp']}/base"
        return await self.cache(
            f"http://127.0.0.1:{self.ports['open']}",
            name,
            tagttl="0s",
            hosts=["docker.io"],
            upstreams={
                "token.example": {
                    **login,
                    "remoteurl": url,
                    "trustedrealms": [self.realm],
                },
                "corp": {
                    **login,
                    "remoteurl": corp,
                    "hosts": ["corp.example"],
                    "tls": {"ca": str(self.authority.path)},
                },
            },
        )

    async def pull_by_path(self, podman: bool = True) -> None:
        for key, digest in self.digests.items():
            self.assertEqual(await self.skopeo.pull(PATHS[key]), digest)
            if podman:
                found = await self.podman.pull(PATHS[key])
                self.assertEqual(found, (digest, self.config_of(key)[7:]))

    async def check_bytes(self, cache: Registry) -> None:
        """Each blob was downloaded once, whoever else has it; each counts for one."""
        manifests = [self.read(digest) for digest in self.digests.values()]
        sizes = {
            item["digest"]: item["size"]
            for manifest in manifests
            for item in [manifest["config"], *manifest["layers"]]
        }
        pulled = []
        for label in (f"127.0.0.1:{self.ports['open']}", "token.example", "corp"):
            metric = (
                f'registry_proxy_pulled_bytes_total{{type="blob",upstream="{label}"'
            )
            pulled.append(await self.metric(cache, metric))
        self.assertEqual(sum(pulled), sum(sizes.values()))
        self.assertGreater(min(pulled), 0)

    async def check_strangers(self, cache: Registry) -> None:
        """Who is not listed is not asked, and the client goes on elsewhere."""
        for path in ("quay.io/org/app/manifests/1", f"{NAME}/manifests/1?ns=quay.io"):
            code, _, body = await self.get(f"{cache.url}/v2/{path}")
            self.assertEqual(code, 404)
            self.assertIn(b"quay.io", body)
