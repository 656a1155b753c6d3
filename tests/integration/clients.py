"""Clients that push and pull, each with storage of its own."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import tarfile
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.threads import deferToThread

from tests.integration.support import IntegrationCase, Process, run, sleep, start, which

T = TypeVar("T")


@attrs.frozen
class Door:
    """Where a registry is, whom to trust there, and who one is.

    :ivar ca: a certificate alone in its directory; ``None`` for plain HTTP.
    """

    host: str
    ca: Path | None = None
    user: str = ""
    password: str = ""

    @property
    def credentials(self) -> str:
        return f"{self.user}:{self.password}"

    def flags(self, side: str = "") -> list[str]:
        """Give the flags of skopeo, podman and buildah."""
        trust = f"--{side}tls-verify=false"
        if self.ca is not None:
            trust = f"--{side}cert-dir={self.ca.parent}"
        creds = [f"--{side}creds={self.credentials}"] if self.user else []
        return [trust, *creds]


class Client:
    """A directory of the test, and a registry to talk to."""

    def __init__(self, case: IntegrationCase, door: Door) -> None:
        self.case, self.door = case, door
        prefix = f"{type(self).__name__[:2].lower()}-"
        self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=case.directory))

    def image(self, name: str, tag: str = "1") -> str:
        return f"{self.door.host}/{name}:{tag}"

    def fresh(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.path))

    def start(self, *argv: str) -> Process:
        """Start a daemon; it is asked to end, as it has children to end itself."""
        process = self.case.keep(start(*argv))
        self.case.addCleanup(process.end)
        return process


class Skopeo(Client):
    """Copies without any storage."""

    async def push(self, source: str, name: str, *options: str) -> str:
        """Push from an OCI layout; give the digest of what was pushed."""
        return await self._copy(source, name, *options)

    async def copy(self, name: str, other: str, *options: str) -> str:
        """Copy between repositories of the registry; give the digest."""
        source = f"docker://{self.image(name)}"
        return await self._copy(source, other, *self.door.flags("src-"), *options)

    async def pull(self, name: str, *options: str, tag: str = "1") -> str:
        """Pull and check every blob; give the digest of the manifest on top."""
        path = self.fresh()
        await run(
            *(which("skopeo"), "copy", *self.door.flags("src-"), *options),
            *(f"docker://{self.image(name, tag)}", f"dir:{path}"),
        )
        for file in path.iterdir():
            if len(file.name) == 64:
                assert hashlib.sha256(file.read_bytes()).hexdigest() == file.name, file
        return digest_of((path / "manifest.json").read_bytes())

    async def delete(self, name: str) -> None:
        """Delete the manifest that a tag names."""
        await run(
            *(which("skopeo"), "delete", *self.door.flags()),
            f"docker://{self.image(name)}",
        )

    async def _copy(self, source: str, name: str, *options: str) -> str:
        digest = self.fresh() / "digest"
        await run(
            *(which("skopeo"), "copy", *self.door.flags("dest-"), *options),
            *("--digestfile", str(digest), source, f"docker://{self.image(name)}"),
        )
        return digest.read_text().strip()


class Podman(Client):
    """Keeps images in vfs storage, and compresses layers itself."""

    async def take(self, source: str) -> str:
        """Put an image from an OCI layout into storage; give its id."""
        found = await self._podman(self.path, "pull", "-q", source)
        return found.split()[-1]

    async def push(self, image: str, name: str, *options: str) -> str:
        digest = self.fresh() / "digest"
        await self._podman(
            *(self.path, "push", "-q", *self.door.flags(), *options),
            *("--digestfile", str(digest), image, f"docker://{self.image(name)}"),
        )
        return digest.read_text().strip()

    async def pull(self, name: str) -> tuple[str, str]:
        """Pull into empty storage; give digest and id."""
        root, image = self.fresh(), self.image(name)
        await self._podman(root, "pull", "-q", *self.door.flags(), image)
        said = await self._podman(root, "image", "inspect", image)
        found = json.loads(said[said.index("[") :])[0]
        return found["Digest"], found["Id"]

    async def _podman(self, root: Path, *words: str) -> str:
        return await run(
            *(which("podman"), "--root", f"{root}/r", "--runroot", f"{root}/rr"),
            *("--storage-driver", "vfs", "--cgroup-manager=cgroupfs", *words),
        )


class Buildah(Client):
    """Builds images from scratch."""

    async def build(self, architecture: str, layer: Path, kind: str) -> str:
        """Build an image of one file; give its id."""
        container = await self._buildah(
            self.path, "from", "--arch", architecture, "scratch"
        )
        await self._buildah(self.path, "copy", "-q", container, str(layer), "/file")
        return await self._buildah(
            self.path, "commit", "-q", "--rm", "--format", kind, container
        )

    async def push(self, image: str, name: str, *options: str) -> str:
        digest = self.fresh() / "digest"
        await self._buildah(
            *(self.path, "push", "-q", *self.door.flags(), *options),
            *("--digestfile", str(digest), image, f"docker://{self.image(name)}"),
        )
        return digest.read_text().strip()

    async def push_index(self, name: str, images: list[str], *options: str) -> str:
        """Make an index of images and push it with all of them."""
        index, digest = f"localhost/{name}", self.fresh() / "digest"
        await self._buildah(self.path, "manifest", "create", index)
        for image in images:
            await self._buildah(self.path, "manifest", "add", index, image)
        await self._buildah(
            *(self.path, "manifest", "push", "-q", "--all", *self.door.flags()),
            *(*options, "--digestfile", str(digest)),
            *(index, f"docker://{self.image(name)}"),
        )
        return digest.read_text().strip()

    async def pull(self, name: str) -> str:
        """Pull into empty storage; give the id."""
        said = await self._buildah(
            self.fresh(), "pull", "-q", *self.door.flags(), self.image(name)
        )
        return said.split()[-1]

    async def _buildah(self, root: Path, *words: str) -> str:
        said = await run(
            *(which("buildah"), "--root", f"{root}/r", "--runroot", f"{root}/rr"),
            *words,
            env={"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs"},
        )
        return said.strip()


#: What ctr says when it has lost what it reads from its own containerd. That is a
#: fault of the gRPC between the two, grpc-go issue 5358, which Debian 12 has (1.33.3):
#: no registry takes part in it, and no fault of a registry looks like this.
_LOST_STREAM = "failed to copy: rpc error: code = Internal desc = unexpected EOF"


class Containerd(Client):
    """A containerd of its own, driven by ctr."""

    process: Process

    async def begin(self) -> None:
        config, self._sock = self.path / "config.toml", self.path / "sock"
        config.write_text(
            f'version = 2\nroot = "{self.path}/root"\nstate = "{self.path}/state"\n'
            'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
            f'[grpc]\n  address = "{self._sock}"\n'
        )
        if self.door.ca is not None:
            # ctr speaks plain HTTP to loopback unless a file says otherwise.
            hosts = self.path / "hosts" / self.door.host
            hosts.mkdir(parents=True)
            (hosts / "hosts.toml").write_text(
                f'[host."https://{self.door.host}"]\n  ca = "{self.door.ca}"\n'
            )
        argv = (which("containerd"), "-c", str(config), "-l", "warn")
        self.process = self.start(*argv)
        await exists(self._sock, self.process)

    async def take(self, layout: Path, name: str) -> None:
        """Import an OCI layout, its tags becoming tags of a name."""
        archive = self.fresh() / "layout.tar"
        with tarfile.open(archive, "w") as tar:
            tar.add(layout, ".")
        base = f"{self.door.host}/{name}"
        await self._ctr(
            *("import", "--no-unpack", "--all-platforms"),
            *("--base-name", base, str(archive)),
        )

    async def push(self, name: str, local: str) -> str:
        """Push an image that is there under another name; give its digest."""
        await self._push(name, local)
        return await self._digest(local)

    async def _push(self, name: str, local: str) -> None:
        for attempt in range(3):
            try:
                await self._ctr("push", *self._flags(), self.image(name), local)
                return
            except AssertionError as error:
                if attempt == 2 or _LOST_STREAM not in str(error):
                    raise

    async def pull(self, name: str) -> str:
        """Pull for all platforms; give the digest on top."""
        image = self.image(name)
        await self._ctr(
            *("pull", *self._flags(), "--all-platforms", "--snapshotter", "native"),
            image,
        )
        return await self._digest(image)

    async def forget(self) -> None:
        """Drop every image and, as nothing holds it any more, all content."""
        names = await self._ctr("list", "-q")
        await self._ctr("remove", "--sync", *names.split())
        self.case.assertEqual(await self._call("content", "list", "-q"), "")

    def _flags(self) -> list[str]:
        trust = ["--plain-http"]
        if self.door.ca is not None:
            trust = ["--hosts-dir", str(self.path / "hosts")]
        return [*trust, *(["-u", self.door.credentials] if self.door.user else [])]

    async def _digest(self, image: str) -> str:
        listed = await self._ctr("list", f"name=={image}")
        return next(word for word in listed.split() if word.startswith("sha256:"))

    async def _ctr(self, *words: str) -> str:
        return await self._call("images", *words)

    async def _call(self, *words: str) -> str:
        return await run(which("ctr"), "-a", str(self._sock), *words)


class Dockerd(Client):
    """A dockerd of its own.

    To a registry on loopback it does not verify certificates.
    """

    process: Process

    async def begin(self) -> None:
        config, sock = self.path / "daemon.json", self.path / "sock"
        config.write_text(json.dumps({"insecure-registries": ["127.0.0.0/8"]}))
        self._url = f"unix://{sock}"
        argv = [
            *(which("dockerd"), "--config-file", str(config), "-H", self._url),
            *("--data-root", f"{self.path}/data", "--exec-root", f"{self.path}/exec"),
            *("-p", f"{self.path}/pid", "--storage-driver=vfs", "--iptables=false"),
            *("--ip6tables=false", "--bridge=none"),
        ]
        self.process = self.start(*argv)
        await exists(sock, self.process)
        if self.door.user:
            await self._docker(
                *("login", "-u", self.door.user, "-p", self.door.password),
                self.door.host,
            )

    async def take(self, source: str, name: str) -> None:
        """Load an image from an OCI layout under a name of the registry."""
        archive = self.fresh() / "archive.tar"
        await run(
            *(which("skopeo"), "copy", source),
            f"docker-archive:{archive}:{self.image(name)}",
        )
        await self._docker("load", "-q", "-i", str(archive))

    async def tag(self, name: str, other: str) -> None:
        await self._docker("tag", self.image(name), self.image(other))

    async def push(self, name: str) -> str:
        said = (await self._docker("push", self.image(name))).split()
        return said[said.index("digest:") + 1]

    async def pull(self, name: str) -> tuple[str, str]:
        """Pull; give digest and id."""
        image = self.image(name)
        said = (await self._docker("pull", image)).split()
        found = await self._docker("image", "inspect", "-f", "{{.Id}}", image)
        return said[said.index("Digest:") + 1], found.strip()

    async def forget(self) -> None:
        """Drop every image."""
        ids = (await self._docker("images", "-q", "--no-trunc")).split()
        await self._docker("rmi", "-f", *dict.fromkeys(ids))

    async def _docker(self, *words: str) -> str:
        # The one of Debian's docker.io, beside its dockerd.
        argv = ("/usr/bin/docker", "--config", f"{self.path}/cli", "-H", self._url)
        return await run(*argv, *words)


class Dxf(Client):
    """The command of python-dxf."""

    async def __call__(self, *words: str) -> str:
        environment = {"DXF_HOST": self.door.host, "DXF_PROGRESS": "0"}
        if self.door.ca is None:
            environment["DXF_INSECURE"] = "1"
        else:
            environment["DXF_TLSVERIFY"] = str(self.door.ca)
        if self.door.user:
            environment["DXF_USERNAME"] = self.door.user
            environment["DXF_PASSWORD"] = self.door.password
        argv = (str(Path(sys.executable).parent / "dxf"), *words)
        return await run(*argv, env=environment)


class Oras(Client):
    """The library of oras-py, which blocks, in a thread."""

    def __init__(self, case: IntegrationCase, door: Door, backend: str) -> None:
        from oras.client import OrasClient

        super().__init__(case, door)
        verify = True if door.ca is None else str(door.ca)
        self._made = OrasClient(
            hostname=door.host,
            insecure=door.ca is None,
            tls_verify=verify,
            auth_backend=backend,
        )
        case.addCleanup(self._made.session.close)
        if door.user:
            self._made.auth.set_basic_auth(door.user, door.password)

    async def push(self, name: str, files: list[Path], **options: Any) -> str:
        answer = await deferToThread(
            self._made.push,
            target=self.image(name),
            files=[str(file) for file in files],
            disable_path_validation=True,
            quiet=True,
            **options,
        )
        return str(answer.headers["Docker-Content-Digest"])

    async def pull(self, name: str) -> dict[str, bytes]:
        """Pull; give the files by name."""
        directory = self.fresh()
        paths = await deferToThread(
            self._made.pull, target=self.image(name), outdir=str(directory)
        )
        return {Path(path).name: Path(path).read_bytes() for path in paths}

    async def tags(self, name: str) -> list[str]:
        return list(await deferToThread(self._made.get_tags, self.image(name)))

    async def delete(self, name: str) -> bool:
        made = self._made
        return bool(await deferToThread(made.delete_tag, self.image(name), "1"))


def digest_of(manifest: bytes) -> str:
    """Give the digest of a manifest; of a signed one, that of its payload."""
    signatures = json.loads(manifest).get("signatures")
    if signatures:
        protected = json.loads(_decode(signatures[0]["protected"]))
        tail = _decode(protected["formatTail"])
        manifest = manifest[: protected["formatLength"]] + tail
    return "sha256:" + hashlib.sha256(manifest).hexdigest()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def together(*coroutines: Coroutine[Any, Any, T]) -> list[T]:
    """Run all at the same time and to their ends; give what each gave."""
    started = [Deferred.fromCoroutine(coroutine) for coroutine in coroutines]
    results = await DeferredList(started, consumeErrors=True)
    for succeeded, result in results:
        if not succeeded:
            result.raiseException()
    return [result for _, result in results]


async def exists(path: Path, process: Process) -> None:
    """Wait for what a process makes when it is ready."""
    for _ in range(600):
        assert process.running, process.text()
        if path.exists():
            return
        await sleep(0.05)
    raise AssertionError(process.text())
