"""Compare pushing with Debian's docker-registry, in the same run.

Large blobs by POST and PUT and by POST, PATCH and PUT: CPU of the registry per
gigabyte. A hundred small images, over one connection and over four: images per second
and CPU per image. Both sync their files before they acknowledge; ours, also the
directories that name them.

Requests are written by hand on kept connections, so that the client costs little.

Files are made below ``TMPDIR``, on a file system that is named with the figures: what
making a file costs depends much on it, and on whether it has a journal.

Usage: ``python bench/push.py [--quick] [--json]``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import mmap
import os
import shutil
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from peers import MIB, Server, file_system, show

T = TypeVar("T")

OCI = "application/vnd.oci.image"


class Client:
    """One kept connection."""

    def __init__(self, server: Server) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(120)
        self.file = self.socket.makefile("rb", 64 * 1024)

    def ask(
        self, method: str, path: str, body: bytes = b"", kind: str = ""
    ) -> tuple[int, dict[str, str]]:
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        if kind:
            head += f"Content-Type: {kind}\r\n"
        sent = head.encode() + b"\r\n"
        if len(body) < 64 * 1024:
            self.socket.sendall(sent + body)
        else:
            self.socket.sendall(sent)
            self.socket.sendall(body)
        return self.answer(method)

    def answer(self, method: str) -> tuple[int, dict[str, str]]:
        status = int(self.file.readline().split()[1])
        headers: dict[str, str] = {}
        while (line := self.file.readline().strip()) != b"":
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        length = int(headers.get("content-length", 0))
        if method != "HEAD" and length:
            self.file.read(length)
        return status, headers

    def location(self, headers: dict[str, str]) -> str:
        found = headers["location"]
        return found[found.index("/v2/") :]

    def push(self, name: str, content: bytes, digest: str, patch: bool) -> None:
        kind = "application/octet-stream"
        status, headers = self.ask("POST", f"/v2/{name}/blobs/uploads/")
        assert status == 202, status
        if patch:
            status, headers = self.ask("PATCH", self.location(headers), content, kind)
            assert status == 202, status
            content = b""
        path = f"{self.location(headers)}&digest={digest}"
        status, _ = self.ask("PUT", path, content, kind)
        assert status == 201, status

    def close(self) -> None:
        self.file.close()
        self.socket.close()


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Image:
    """A configuration, two small layers and a manifest."""

    def __init__(self) -> None:
        self.blobs = [os.urandom(size) for size in (1000, 4000, 20_000)]
        self.digests = [digest_of(blob) for blob in self.blobs]
        config, *layers = [
            {"digest": digest, "size": len(blob)}
            for digest, blob in zip(self.digests, self.blobs, strict=True)
        ]
        self.manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": f"{OCI}.manifest.v1+json",
                "config": {"mediaType": f"{OCI}.config.v1+json", **config},
                "layers": [
                    {"mediaType": f"{OCI}.layer.v1.tar+gzip", **layer}
                    for layer in layers
                ],
            }
        ).encode()

    def push(self, client: Client, name: str) -> None:
        """Push as containerd does: HEAD, POST, PUT for each blob."""
        for blob, digest in zip(self.blobs, self.digests, strict=True):
            status, _ = client.ask("HEAD", f"/v2/{name}/blobs/{digest}")
            assert status == 404, status
            client.push(name, blob, digest, patch=False)
        status, _ = client.ask(
            "PUT",
            f"/v2/{name}/manifests/{self.digests[0][7:19]}",
            self.manifest,
            f"{OCI}.manifest.v1+json",
        )
        assert status == 201, status


def warm_memory(length: int) -> None:
    """Leave memory free that was touched before, for either registry to write to.

    A virtual machine gives what is free back to its host, and the first to touch it
    again pays many times what copying costs: measured, two thirds of all CPU of a
    push, and as much for one registry as for the other.
    """
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
    mmap.mmap(-1, length, flags=flags).close()


def push_large(patch: bool, count: int, size: int, server: Server) -> float:
    """Give the CPU seconds per gigabyte."""
    contents = [os.urandom(size) for _ in range(count)]
    digests = [digest_of(content) for content in contents]
    client = Client(server)
    warm_memory(2 * count * size)
    before = server.cpu()
    for content, digest in zip(contents, digests, strict=True):
        client.push("bench/large", content, digest, patch)
    used = server.cpu() - before
    client.close()
    shutil.rmtree(server.root / "docker" / "registry" / "v2" / "blobs")
    return used / (count * size / 1e9)


def push_images(count: int, clients: int, server: Server) -> tuple[float, float]:
    """Give images per second, and CPU seconds per image."""
    images = [[Image() for _ in range(count // clients)] for _ in range(clients)]

    def work(mine: list[Image], number: int) -> None:
        client = Client(server)
        for image in mine:
            image.push(client, f"bench/small{number}")
        client.close()

    threads = [
        threading.Thread(target=work, args=(mine, number))
        for number, mine in enumerate(images)
    ]
    before, began = server.cpu(), time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - began
    done = sum(map(len, images))
    return done / seconds, (server.cpu() - before) / done


def in_turn(
    ours: Server, theirs: Server, rounds: int, work: Callable[[Server], T]
) -> list[tuple[T, T]]:
    """Let both do the same, by turns first and last: the second finds memory warm."""
    pairs = []
    for number in range(rounds):
        order = (ours, theirs) if number % 2 else (theirs, ours)
        found = {id(server): work(server) for server in order}
        pairs.append((found[id(ours)], found[id(theirs)]))
    return pairs


def row(pairs: list[tuple[float, float]]) -> dict[str, float]:
    return {
        "ours": statistics.median(pair[0] for pair in pairs),
        "theirs": statistics.median(pair[1] for pair in pairs),
        "ratio": statistics.median(a / b for a, b in pairs if b),
    }


def measure(figures: dict[str, Any], ours: Server, theirs: Server, quick: bool) -> None:
    rounds, size = (2, 32 * MIB) if quick else (6, 128 * MIB)
    for server in (ours, theirs):
        push_large(False, 3, size, server)
        push_images(20, 1, server)
    for patch, what in ((False, "POST+PUT"), (True, "POST+PATCH+PUT")):
        figures[f"CPU s per GB pushed, {what}"] = row(
            in_turn(ours, theirs, rounds, partial(push_large, patch, 3, size))
        )
    for clients in (1, 4):
        pairs = in_turn(ours, theirs, rounds, partial(push_images, 100, clients))
        for position, what in ((0, "small images per s"), (1, "CPU s per small image")):
            found = [(mine[position], other[position]) for mine, other in pairs]
            figures[f"{what}, {clients} at a time"] = row(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="txr-bench-"))
    print(f"file system: {file_system(directory)}", file=sys.stderr)
    figures: dict[str, Any] = {}
    try:
        ours = Server(directory, "ours", ours=True)
        theirs = Server(directory, "theirs", ours=False)
        try:
            measure(figures, ours, theirs, options.quick)
            mine, other = ours.peak_memory(), theirs.peak_memory()
        finally:
            ours.stop()
            theirs.stop()
        figures["peak resident MB"] = {
            "ours": mine / 1e6,
            "theirs": other / 1e6,
            "ratio": mine / other,
        }
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    show(figures, options.json)


if __name__ == "__main__":
    main()
