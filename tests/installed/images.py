"""Images of random bytes, and clients that pull them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import threading
from pathlib import Path

from tests.installed.machine import UPSTREAM, Network
from tests.installed.shell import Failed, attempt, run

MIB = 1024 * 1024
CACHE = "127.0.0.1:5000"


class Images:
    """Makes images, pushes them to the upstream, and pulls them through the cache."""

    def __init__(self, place: Path, network: Network) -> None:
        self.place, self.network = place, network
        self.layers: dict[str, str] = {}

    def push(self, name: str, size: int) -> None:
        """Make an image with one layer of a size, and push it."""
        layout = self.place / "layout" / name
        blobs = layout / "blobs" / "sha256"
        blobs.mkdir(parents=True)
        plain, packed = layer(size)
        kind = "application/vnd.oci.image"
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(plain)}"]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{kind}.manifest.v1+json",
            "config": store(blobs, f"{kind}.config.v1+json", encode(config)),
            "layers": [store(blobs, f"{kind}.layer.v1.tar+gzip", packed)],
        }
        self.layers[name] = sha256(packed)
        entry = store(blobs, f"{kind}.manifest.v1+json", encode(manifest))
        entry["annotations"] = {"org.opencontainers.image.ref.name": "1"}
        index = {"schemaVersion": 2, "manifests": [entry]}
        (layout / "index.json").write_bytes(encode(index))
        (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        self._copy(self.network.upstream, name, f"{UPSTREAM}:5000/test/{name}:1")

    def push_to_cache(self, name: str, repository: str) -> None:
        """Push one that was made to a repository of the cache itself."""
        self._copy(self.network.machine, name, f"{CACHE}/{repository}:1")

    def _copy(self, namespace: str, name: str, target: str) -> None:
        run(
            *("ip", "netns", "exec", namespace, "skopeo", "copy", "-q"),
            *("--dest-tls-verify=false", f"oci:{self.place}/layout/{name}:1"),
            f"docker://{target}",
        )

    def pull(self, name: str, repository: str = "") -> None:
        """Pull one through the cache, and compare its layer.

        :param repository: where it is; test/NAME, as in the upstream, by default.
        :raise Failed: it does not come, or is another one.
        """
        repository = repository or f"test/{name}"
        place = self.place / f"pulled-{threading.get_ident()}"
        shutil.rmtree(place, ignore_errors=True)
        run(
            *("ip", "netns", "exec", self.network.machine, "skopeo", "copy", "-q"),
            *("--src-tls-verify=false", f"docker://{CACHE}/{repository}:1"),
            f"dir:{place}",
        )
        digest = self.layers[name]
        if sha256((place / digest).read_bytes()) != digest:
            raise Failed(f"the layer of {name} is damaged")

    def curl(self, path: str, *options: str) -> str:
        """Ask the cache for anything; give what curl says."""
        return attempt(*self._curl(path, *options)).stdout

    def tls_curl(self, path: str, *options: str) -> str:
        """Ask it with TLS."""
        *command, url = self._curl(path, *options)
        return attempt(*command, url.replace("http:", "https:")).stdout

    def start_curl(self, path: str, *options: str) -> subprocess.Popen[bytes]:
        """Begin to ask."""
        return subprocess.Popen(self._curl(path, *options))

    def _curl(self, path: str, *options: str) -> tuple[str, ...]:
        enter = ("ip", "netns", "exec", self.network.machine)
        return (*enter, "curl", "-sS", *options, f"http://{CACHE}{path}")

    def blob(self, name: str) -> str:
        """Give the path of an image's layer."""
        return f"/v2/test/{name}/blobs/sha256:{self.layers[name]}"


class Pulls:
    """Clients that pull one image again and again, until told to end."""

    def __init__(self, images: Images, name: str, clients: int) -> None:
        self.done, self.failures = 0, list[str]()
        self._over = threading.Event()
        self._images, self._name = images, name
        self._threads = [
            threading.Thread(target=self._pull, daemon=True) for _ in range(clients)
        ]

    def __enter__(self) -> Pulls:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _pull(self) -> None:
        while not self._over.is_set():
            try:
                self._images.pull(self._name)
                self.done += 1
            except Failed as error:
                self.failures.append(str(error))


def layer(size: int) -> tuple[bytes, bytes]:
    """Give a layer with one file of random bytes, and that compressed."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        info = tarfile.TarInfo("bytes")
        info.size = size
        archive.addfile(info, io.BytesIO(os.urandom(size)))
    return plain.getvalue(), gzip.compress(plain.getvalue(), 1)


def store(blobs: Path, media_type: str, content: bytes) -> dict[str, object]:
    """Write a blob into a layout; give its descriptor."""
    digest = sha256(content)
    (blobs / digest).write_bytes(content)
    named = f"sha256:{digest}"
    return {"mediaType": media_type, "digest": named, "size": len(content)}


def encode(value: object) -> bytes:
    """Give JSON."""
    return json.dumps(value).encode()


def sha256(content: bytes) -> str:
    """Give a digest in hex."""
    return hashlib.sha256(content).hexdigest()
