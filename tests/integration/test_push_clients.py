"""Real clients push, pull, mount and delete; Debian's registry serves what is left."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import ssl
from collections.abc import Coroutine
from itertools import chain
from pathlib import Path
from typing import Any

from treq.client import HTTPClient
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.web.client import Agent
from twisted.web.http import Request
from twisted.web.server import Site

from tests.integration.clients import (
    Buildah,
    Containerd,
    Dockerd,
    Door,
    Dxf,
    Oras,
    Podman,
    Skopeo,
    digest_of,
    together,
)
from tests.integration.images import Layout
from tests.integration.passwords import write_htpasswd
from tests.integration.support import (
    IntegrationCase,
    Process,
    Registry,
    free_port,
    require,
)
from tests.integration.tls import Authority
from tests.integration.tokens import ISSUER, SERVICE, TokenServer

USER, PASSWORD = "robot", "s3cret"
DOCKER = "application/vnd.docker.distribution.manifest"
OCI = "application/vnd.oci.image"
ACCEPT = ", ".join(
    [
        *(f"{OCI}.manifest.v1+json", f"{OCI}.index.v1+json"),
        *(f"{DOCKER}.v2+json", f"{DOCKER}.list.v2+json"),
        *(f"{DOCKER}.v1+prettyjws", f"{DOCKER}.v1+json"),
    ]
)
#: How the types of a repository's manifests begin, by a word in its name.
KINDS = {
    "oci": (f"{OCI}.manifest.v1", f"{OCI}.index.v1"),
    "v2s2": (f"{DOCKER}.v2", f"{DOCKER}.list.v2"),
    "v2s1": (f"{DOCKER}.v1",),
}
#: What a repository's tag has to name: a digest, or ``None`` if it is gone.
Left = dict[str, str | None]
#: What each client needs beside skopeo, which looks after all of them.
PROGRAMS: dict[str, tuple[str, ...]] = {
    "skopeo": (),
    "podman": ("podman",),
    "buildah": ("buildah",),
    "containerd": ("containerd", "ctr"),
    "dockerd": ("dockerd",),
    "dxf": (),
    "oras": (),
}
#: How many blobs are mounted into a repository, by clients that can.
MOUNTS = {"skopeo/mounted": 3, "docker/other": 2, "dxf/b": 1}
#: Go gives a TLS handshake this long before a client tries plain HTTP.
HANDSHAKE_SECONDS = 10


class PushCase(IntegrationCase):
    """A registry that may be written to, and a look at what it leaves."""

    timeout = 400
    secure_port = 0

    async def wait_for(self, url: str, process: Process) -> None:
        if self.secure_port and f":{self.secure_port}/" in url:
            url = url.replace("http://", "https://", 1)
        await super().wait_for(url, process)

    async def open_door(self, **sections: Any) -> tuple[Registry, Door]:
        """Start a registry that deletes and takes schema 1; no proxy section."""
        port = free_port()
        http = {"addr": f"127.0.0.1:{port}", **sections.pop("http", {})}
        if "tls" in http:
            self.secure_port = port
        root = self.directory / "registry"
        storage = {
            "filesystem": {"rootdirectory": str(root)},
            "delete": {"enabled": True},
            "cache": {"blobdescriptor": "inmemory"},
        }
        merge = {
            "storage": storage,
            "http": http,
            "compatibility": {"schema1": {"enabled": True}},
            **sections,
        }
        registry = await self.daemon("registry", port, merge)
        return registry, Door(registry.host)

    def secure(self) -> tuple[Authority, dict[str, Any]]:
        """Make an authority, and the ``http`` section of a server that it signed."""
        authority = Authority(self.directory / "tls")
        self.http = HTTPClient(Agent(reactor, authority.policy()))
        issued = authority.issue("registry")
        tls = {"certificate": str(issued.certificate), "key": str(issued.key)}
        return authority, {"tls": tls}

    def make_images(self) -> None:
        """Make an image of two layers, and an index of it and one for arm64."""
        self.layout = layout = Layout(self.directory / "images")
        image = layout.image("amd64", 300_000, 500_000)
        self.single = layout.tag("single", image, index=False)
        children = [image, layout.image("arm64", 200_000)]
        self.multi = layout.tag("multi", *children, index=True)
        self.one, self.all = (f"oci:{layout.path}:{tag}" for tag in ("single", "multi"))
        manifest = layout.path / "blobs" / "sha256" / self.single.partition(":")[2]
        self.config = json.loads(manifest.read_bytes())["config"]["digest"]

    async def close(self, registry: Registry, expected: Left) -> str:
        """End the registry, see that Debian's serves what is left; give our log."""
        # Afterwards all that it wrote to its log is here.
        await registry.process.end()
        log = registry.process.text()
        for bad in ('" 5', "Traceback", "Unhandled"):
            self.assertNotIn(bad, re.sub(r'"[^"]*"$', "", log, flags=re.M))
        other = await self.debian_registry(
            root=registry.root, merge={"compatibility": {"schema1": {"enabled": True}}}
        )
        found = await together(*[self.serves(other, name, "1") for name in expected])
        self.assertEqual(dict(zip(expected, found, strict=True)), expected)
        return log

    async def serves(self, registry: Registry, name: str, reference: str) -> str | None:
        """Fetch an image with all it refers to, checking each; give its digest."""
        url = f"{registry.url}/v2/{name}"
        code, headers, body = await self.get(
            f"{url}/manifests/{reference}", Accept=ACCEPT
        )
        if code == 404:
            return None
        self.assertEqual(code, 200, body)
        digest = headers.getRawHeaders("Docker-Content-Digest")[0]
        self.assertEqual(digest_of(body), digest)
        type_ = headers.getRawHeaders("Content-Type")[0]
        for word, kinds in KINDS.items():
            if f"/{word}" in name:
                self.assertTrue(type_.startswith(kinds), (name, type_))
        manifest = json.loads(body)
        for child in manifest.get("manifests", []):
            found = await self.serves(registry, name, child["digest"])
            self.assertEqual(found, child["digest"])
        for blob in _blobs(manifest):
            code, _, content = await self.get(f"{url}/blobs/{blob}")
            self.assertEqual(code, 200, blob)
            self.assertEqual(hashlib.sha256(content).hexdigest(), blob[7:])
        return str(digest)


def _blobs(manifest: dict[str, Any]) -> list[str]:
    if "fsLayers" in manifest:
        return [layer["blobSum"] for layer in manifest["fsLayers"]]
    if "layers" not in manifest:
        return []
    found = [manifest["config"], *manifest["layers"]]
    return [descriptor["digest"] for descriptor in found]


def _mounts(log: str, name: str) -> list[str]:
    """Give the status of each answer to a mount into a repository."""
    request = rf"POST /v2/{name}/blobs/uploads/\?[^ ]*mount=[^ ]* HTTP/[0-9.]+"
    return re.findall(rf'"{request}" (\d+) ', log)


class Uses(PushCase):
    """What each client does, at whichever door; each gives what has to be left."""

    oras_backend = "basic"

    async def go_through(self, *names: str) -> None:
        """Let clients do what they do, all at once, and look at what they left."""
        require("docker-registry", "skopeo", *chain(*(PROGRAMS[x] for x in names)))
        self.make_images()
        registry, door = await self.open_door()
        left = await together(*[getattr(self, name)(door) for name in names])
        expected: Left = {}
        for some in left:
            expected |= some
        log = await self.close(registry, expected)
        for name, mounts in MOUNTS.items():
            if name in expected:
                self.assertEqual(_mounts(log, name)[-mounts:], ["201"] * mounts, name)
        if "oras" in names:
            self.assertIn('"PATCH /v2/oras/chunks/', log)

    async def skopeo(self, door: Door) -> Left:
        """Push in three formats, mount, pull and delete."""
        skopeo, expected = Skopeo(self, door), {}
        for kind in ("oci", "v2s2"):
            name = f"skopeo/{kind}"
            expected[name] = await skopeo.push(self.one, name, "--format", kind)
            name = f"skopeo/{kind}-all"
            expected[name] = await skopeo.push(
                self.all, name, "--all", "--format", kind
            )
        self.assertEqual(expected["skopeo/oci"], self.single)
        self.assertEqual(expected["skopeo/oci-all"], self.multi)
        name = "skopeo/v2s1"
        expected[name] = await skopeo.push(self.one, name, "--format", "v2s1")
        name = "skopeo/mounted"
        expected[name] = await skopeo.copy("skopeo/oci-all", name, "--all")
        self.assertEqual(expected[name], self.multi)
        await self.all_pull(skopeo, expected)
        await skopeo.copy("skopeo/v2s2", "skopeo/gone")
        await skopeo.delete("skopeo/gone")
        error = await self.failure_of(skopeo.pull("skopeo/gone"))
        self.assertIn("manifest unknown", error)
        return expected | {"skopeo/gone": None}

    async def podman(self, door: Door) -> Left:
        """Push in two formats and pull what was pushed."""
        podman, expected = Podman(self, door), {}
        image = await podman.take(self.one)
        for kind in ("oci", "v2s2"):
            name = f"podman/{kind}"
            expected[name] = await podman.push(image, name, "--format", kind)
        found = await together(*[podman.pull(name) for name in expected])
        self.assertEqual(found, [(digest, image) for digest in expected.values()])
        return expected

    async def buildah(self, door: Door) -> Left:
        """Push what was built, and indexes of it, in two formats."""
        layer = self.directory / "layer"
        layer.write_bytes(os.urandom(200_000))
        buildah, expected = Buildah(self, door), {}
        for kind, built in (("oci", "oci"), ("v2s2", "docker")):
            name = f"buildah/{kind}"
            image = await buildah.build("amd64", layer, built)
            other = await buildah.build("arm64", layer, built)
            expected[name] = await buildah.push(image, name, "--format", kind)
            expected[f"{name}-all"] = await buildah.push_index(
                f"{name}-all", [image, other], "--format", kind
            )
            pulls = [buildah.pull(name), buildah.pull(f"{name}-all")]
            self.assertEqual(await together(*pulls), [image, image])
        await self.all_pull(Skopeo(self, door), expected)
        return expected

    async def containerd(self, door: Door) -> Left:
        """Push what was imported or pulled, and pull it again."""
        skopeo, containerd = Skopeo(self, door), Containerd(self, door)
        await containerd.begin()
        await containerd.take(self.layout.path, "local")
        expected = {"ctr/oci": self.single, "ctr/oci-all": self.multi}
        local = f"{door.host}/local"
        await containerd.push("ctr/oci", f"{local}:single")
        await containerd.push("ctr/oci-all", f"{local}:multi")
        for source, name, options in (
            (self.one, "ctr/v2s2", ()),
            (self.all, "ctr/v2s2-all", ("--all",)),
        ):
            first = f"{name}-first"
            digest = await skopeo.push(source, first, *options, "--format", "v2s2")
            await containerd.pull(first)
            await containerd.push(name, containerd.image(first))
            expected |= {name: digest, first: digest}
        await containerd.forget()
        for name, digest in expected.items():
            self.assertEqual(await containerd.pull(name), digest, name)
        await self.all_pull(skopeo, expected)
        await containerd.process.end()
        return expected

    async def dockerd(self, door: Door) -> Left:
        """Push, mount what was pushed before, and pull all formats."""
        skopeo, dockerd = Skopeo(self, door), Dockerd(self, door)
        await dockerd.begin()
        await dockerd.take(self.one, "docker/one")
        expected = {"docker/one": await dockerd.push("docker/one")}
        await dockerd.tag("docker/one", "docker/other")
        expected["docker/other"] = await dockerd.push("docker/other")
        self.assertEqual(expected["docker/other"], expected["docker/one"])
        for kind in ("oci", "v2s2"):
            name = f"docker/{kind}-all"
            expected[name] = await skopeo.push(
                self.all, name, "--all", "--format", kind
            )
        await dockerd.forget()
        for name, digest in expected.items():
            self.assertEqual(await dockerd.pull(name), (digest, self.config), name)
        await self.all_pull(skopeo, expected)
        await dockerd.process.end()
        return expected

    async def dxf(self, door: Door) -> Left:
        """Push blobs, name them, mount, pull and delete."""
        dxf, files = Dxf(self, door), []
        for number in range(2):
            files.append(self.directory / f"dxf{number}")
            files[-1].write_bytes(base64.b64encode(os.urandom(100_000)))
        one, two = [digest_of_file(file) for file in files]
        pushed = await dxf("push-blob", "dxf/a", str(files[0]), "@1")
        self.assertEqual(pushed.strip(), one)
        await dxf("push-blob", "dxf/a", str(files[1]))
        await dxf("set-alias", "dxf/a", "both", one, two)
        self.assertEqual((await dxf("get-alias", "dxf/a", "both")).split(), [one, two])
        self.assertEqual((await dxf("list-aliases", "dxf/a")).split(), ["1", "both"])
        pulled = await dxf("pull-blob", "dxf/a", "@both")
        self.assertEqual(pulled, "".join(file.read_text() for file in files))
        mounted = await dxf("mount-blob", "dxf/b", "dxf/a", two, "@1")
        self.assertEqual(mounted.strip(), two)
        self.assertEqual(await dxf("pull-blob", "dxf/b", two), files[1].read_text())
        await dxf("del-alias", "dxf/a", "both")
        await dxf("del-blob", "dxf/a", two)
        self.assertEqual((await dxf("list-aliases", "dxf/a")).split(), ["1"])
        error = await self.failure_of(dxf("pull-blob", "dxf/a", two))
        self.assertIn("404", error)
        return {"dxf/a": _made_by_dxf(files[0]), "dxf/b": _made_by_dxf(files[1])}

    async def oras(self, door: Door) -> Left:
        """Push files whole and in chunks, list, pull and delete."""
        files, contents = [], {}
        for number in range(2):
            files.append(self.directory / f"oras{number}")
            contents[files[-1].name] = os.urandom(150_000)
            files[-1].write_bytes(contents[files[-1].name])
        expected: Left = {}
        for name, options in (
            ("oras/whole", {}),
            ("oras/chunks", {"do_chunked": True, "chunk_size": 40_000}),
        ):
            oras = Oras(self, door, self.oras_backend)
            expected[name] = await oras.push(name, files, **options)
            self.assertEqual(await oras.pull(name), contents)
            self.assertEqual(await oras.tags(name), ["1"])
        oras = Oras(self, door, self.oras_backend)
        await oras.push("oras/gone", files)
        self.assertTrue(await oras.delete("oras/gone"))
        return expected | {"oras/gone": None}

    async def all_pull(self, skopeo: Skopeo, expected: dict[str, str]) -> None:
        """Pull with all that an index lists, at once; the digests are those."""
        found = await together(*[skopeo.pull(name, "--all") for name in expected])
        self.assertEqual(found, list(expected.values()))

    async def failure_of(self, running: Coroutine[Any, Any, Any]) -> str:
        """Run what has to fail; give what it said."""
        failed = Deferred.fromCoroutine(running)
        return str(await self.assertFailure(failed, AssertionError))


def digest_of_file(file: Path) -> str:
    return "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest()


def _made_by_dxf(file: Path) -> str:
    """Give the digest of the manifest that dxf makes for one blob."""
    blob = {"digest": digest_of_file(file), "size": file.stat().st_size}
    kind = "application/vnd.docker.container.image.v1+json"
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{DOCKER}.v2+json",
        "config": blob | {"mediaType": kind},
        "layers": [blob | {"mediaType": "application/octet-stream"}],
    }
    return digest_of(json.dumps(manifest, sort_keys=True).encode())


class Everyone:
    """What goes for every door."""

    async def test_every_client(self) -> None:
        """All clients do all they do, at the same time; see :class:`Uses`."""
        await self.go_through(*PROGRAMS)


class OpenTests(Everyone, Uses):
    """Plain HTTP, open to all."""

    async def test_tls_to_the_plain_port_is_refused_at_once(self) -> None:
        """A client that tries TLS first need not wait before it goes on in HTTP."""
        registry, _ = await self.open_door()
        hello = ssl.MemoryBIO()
        tried = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), hello)
        with self.assertRaises(ssl.SSLWantReadError):
            tried.do_handshake()
        closed: Deferred[None] = Deferred()
        protocol = Protocol()
        protocol.connectionLost = lambda reason: closed.callback(None)
        await connectProtocol(
            TCP4ClientEndpoint(reactor, "127.0.0.1", registry.port), protocol
        )
        protocol.transport.write(hello.read())
        await closed.addTimeout(HANDSHAKE_SECONDS - 1, reactor)


class Locked(Everyone):
    """What goes for every door that asks who is there."""

    async def test_wrong_password_pushes_nothing(self) -> None:
        """Who does not know the password, or gives none, leaves no trace."""
        require("skopeo")
        self.make_images()
        registry, door = await self.open_door()
        for wrong in (
            Door(door.host, door.ca, USER, "guess"),
            Door(door.host, door.ca),
        ):
            push = Skopeo(self, wrong).push(self.one, "locked/one")
            self.assertRegex(await self.failure_of(push), "unauthorized|denied")
        self.assertEqual(list(registry.root.rglob("locked")), [])


class PasswordTests(Locked, Uses):
    """TLS, and names and passwords in a file."""

    async def open_door(self, **sections: Any) -> tuple[Registry, Door]:
        authority, http = self.secure()
        path = self.directory / "htpasswd"
        write_htpasswd(path, other="secret", **{USER: PASSWORD})
        auth = {"htpasswd": {"realm": "tests", "path": str(path)}}
        registry, door = await super().open_door(http=http, auth=auth, **sections)
        return registry, Door(door.host, authority.path, USER, PASSWORD)


class Tokens(TokenServer):
    """Grants oras everything on the repository that it asks for.

    oras asks once, for the scope of its first request, and never for more: it can
    push only where servers grant more than was asked.
    """

    def render_GET(self, request: Request) -> bytes:
        if request.getHeader("User-Agent") == "oras-py":
            request.args[b"scope"] = [
                re.sub(rb":[^:]*$", b":pull,push,delete", scope)
                for scope in request.args.get(b"scope", [])
            ]
        # Whatever a client would leave open would be open at the end of the test.
        request.setHeader("Connection", "close")
        return super().render_GET(request)


class TokenTests(Locked, Uses):
    """TLS, and tokens of a server that has TLS as well."""

    oras_backend = "token"

    async def open_door(self, **sections: Any) -> tuple[Registry, Door]:
        authority, http = self.secure()
        self.tokens = Tokens(USER, PASSWORD)
        port = reactor.listenSSL(
            *(0, Site(self.tokens), authority.issue("tokens").options()),
            interface="127.0.0.1",
        )
        self.addCleanup(port.stopListening)
        self.realm = f"https://127.0.0.1:{port.getHost().port}/token"
        bundle = self.directory / "bundle.pem"
        self.tokens.write_bundle(bundle)
        token = {
            "realm": self.realm,
            "service": SERVICE,
            "issuer": ISSUER,
            "rootcertbundle": str(bundle),
        }
        registry, door = await super().open_door(
            http=http, auth={"token": token}, **sections
        )
        return registry, Door(door.host, authority.path, USER, PASSWORD)
