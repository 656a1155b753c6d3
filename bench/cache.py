"""Compare with Debian's docker-registry as the same cache, in the same run.

Both caches stand in front of one docker-registry. Each figure is the median of
several rounds in which the two take turns, and is given as a ratio: ours to theirs.
CPU is that of the cache process (user and system); what it costs the client and the
upstream is left out.

Usage: ``python bench/cache.py [--quick]``; writes a table, and JSON with ``--json``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from peers import MIB, Server, compare, show

ACCEPT = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}


def push_blob(server: Server, name: str, content: bytes) -> str:
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    _, headers, _ = server.ask("POST", f"/v2/{name}/blobs/uploads/")
    location = headers["Location"]
    path = location[location.index("/v2/") :]
    joint = "&" if "?" in path else "?"
    kind = {"Content-Type": "application/octet-stream"}
    status, _, answer = server.ask(
        "PUT", f"{path}{joint}digest={digest}", content, **kind
    )
    assert status == 201, answer
    return digest


def push_image(server: Server, name: str, tag: str) -> tuple[str, str]:
    """Push a small image; give the digests of its manifest and its layer."""
    config = json.dumps({"architecture": "amd64", "os": "linux"}).encode()
    layer = os.urandom(20_000)
    kind = "application/vnd.docker"
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": f"{kind}.distribution.manifest.v2+json",
            "config": {
                "mediaType": f"{kind}.container.image.v1+json",
                "size": len(config),
                "digest": push_blob(server, name, config),
            },
            "layers": [
                {
                    "mediaType": f"{kind}.image.rootfs.diff.tar.gzip",
                    "size": len(layer),
                    "digest": push_blob(server, name, layer),
                }
            ],
        }
    ).encode()
    status, headers, answer = server.ask(
        "PUT",
        f"/v2/{name}/manifests/{tag}",
        manifest,
        **{"Content-Type": f"{kind}.distribution.manifest.v2+json"},
    )
    assert status == 201, answer
    blob = json.loads(manifest)["layers"][0]["digest"]
    return headers["Docker-Content-Digest"], blob


def per_request(server: Server, method: str, path: str, count: int) -> float:
    """Give the CPU seconds of one warm request on a kept connection."""
    connection = server.connect()

    def once() -> None:
        connection.request(method, path, headers=ACCEPT)
        response = connection.getresponse()
        response.read()
        assert response.status == 200, (server.name, path, response.status)

    for _ in range(20):
        once()
    before = server.cpu()
    for _ in range(count):
        once()
    used = server.cpu() - before
    connection.close()
    return used / count


def download(server: Server, path: str) -> tuple[float, float, int]:
    """Fetch a path; give seconds to the first byte and the last, and the size."""
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.settimeout(120)
        request = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        began = time.monotonic()
        client.sendall(request.encode())
        buffer = bytearray(MIB)
        head, size, first = b"", 0, 0.0
        while count := client.recv_into(buffer):
            if not first:
                head += bytes(buffer[:count])
                start = head.find(b"\r\n\r\n")
                if start < 0 or len(head) == start + 4:
                    continue
                assert b" 200 " in head[:20], head[:200]
                first = time.monotonic() - began
                size += len(head) - start - 4
            else:
                size += count
        return first, time.monotonic() - began, size


class Counting(threading.Thread):
    """A pass-through in front of the upstream that counts GETs of blobs."""

    def __init__(self, target: int) -> None:
        super().__init__(daemon=True)
        self.target, self.gets, self.bytes = target, 0, 0
        self.server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self.server.getsockname()[1])

    def run(self) -> None:
        while True:
            client, _ = self.server.accept()
            upstream = socket.create_connection(("127.0.0.1", self.target))
            for source, sink, up in (
                (client, upstream, True),
                (upstream, client, False),
            ):
                threading.Thread(
                    target=self.pipe, args=(source, sink, up), daemon=True
                ).start()

    def pipe(self, source: socket.socket, sink: socket.socket, up: bool) -> None:
        try:
            while data := source.recv(256 * 1024):
                if up:
                    lines = data.split(b"\r\n")
                    self.gets += sum(
                        line.startswith(b"GET ") and b"/blobs/" in line
                        for line in lines
                    )
                else:
                    self.bytes += len(data)
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


def together(count: int, work: Callable[[], Any]) -> list[Any]:
    """Do something in so many threads at once."""
    results: list[Any] = []
    threads = [
        threading.Thread(target=lambda: results.append(work())) for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == count, "a client failed"
    return results


@contextmanager
def servers(directory: Path) -> Iterator[tuple[Server, Counting, Server, Server]]:
    upstream = Server(directory, "upstream", ours=False)
    counting = Counting(upstream.port)
    counting.start()
    remote = f"http://127.0.0.1:{counting.port}"
    ours = Server(directory, "ours", ours=True, remote=remote)
    theirs = Server(directory, "theirs", ours=False, remote=remote)
    try:
        yield upstream, counting, ours, theirs
    finally:
        for server in (ours, theirs, upstream):
            server.stop()


def measure_small(figures: dict[str, Any], setting: Any, quick: bool) -> None:
    upstream, _, ours, theirs = setting
    digest, blob = push_image(upstream, "bench/small", "1")
    base = "/v2/bench/small"
    paths = {
        "manifest by digest": f"{base}/manifests/{digest}",
        "manifest by tag": f"{base}/manifests/1",
        "blob": f"{base}/blobs/{blob}",
    }
    wanted = [
        ("GET", "manifest by digest"),
        ("HEAD", "manifest by digest"),
        ("GET", "manifest by tag"),
        ("HEAD", "manifest by tag"),
        ("HEAD", "blob"),
    ]
    for server in (ours, theirs):
        for path in paths.values():
            server.ask("GET", path, **ACCEPT)
    time.sleep(1)
    count = 300 if quick else 1000
    for method, what in wanted:
        figures[f"CPU s per warm {method} {what}"] = compare(
            3 if quick else 5,
            lambda m=method, p=paths[what]: per_request(ours, m, p, count),
            lambda m=method, p=paths[what]: per_request(theirs, m, p, count),
        )


def measure_large(figures: dict[str, Any], setting: Any, quick: bool) -> None:
    upstream, _, ours, theirs = setting
    size = (64 if quick else 256) * MIB
    digest = push_blob(upstream, "bench/large", os.urandom(size))
    path = f"/v2/bench/large/blobs/{digest}"
    for server in (ours, theirs):
        download(server, path)
    time.sleep(2)
    costs: dict[str, list[tuple[float, float]]] = {"ours": [], "theirs": []}

    def once(server: Server) -> None:
        # Several in a row: the clock of CPU time ticks a hundred times a second.
        before = server.cpu()
        found = [download(server, path) for _ in range(4)]
        gigabytes = sum(count for _, _, count in found) / 1e9
        seconds = sum(seconds for _, seconds, _ in found)
        costs[server.name].append(
            ((server.cpu() - before) / gigabytes, gigabytes / seconds)
        )

    for _ in range(3 if quick else 7):
        once(ours)
        once(theirs)
    for position, what in ((0, "CPU s per GB, warm blob"), (1, "GB/s, warm blob")):
        pairs = [
            (mine[position], other[position])
            for mine, other in zip(costs["ours"], costs["theirs"], strict=True)
        ]
        figures[what] = {
            "ours": statistics.median(mine for mine, _ in pairs),
            "theirs": statistics.median(other for _, other in pairs),
            "ratio": statistics.median(mine / other for mine, other in pairs if other),
        }


def measure_cold(figures: dict[str, Any], setting: Any, quick: bool) -> None:
    upstream, counting, ours, theirs = setting
    size = (16 if quick else 128) * MIB
    for clients in (1, 16):
        rows: dict[str, list[tuple[float, ...]]] = {}
        for turn in range(1 if quick else 7):
            # Whoever comes second finds the disk busy with the other's writes.
            for server in (ours, theirs) if turn % 2 else (theirs, ours):
                digest = push_blob(upstream, "bench/cold", os.urandom(size))
                path = f"/v2/bench/cold/blobs/{digest}"
                counting.gets = counting.bytes = 0
                before = server.cpu()
                found = together(clients, lambda s=server, p=path: download(s, p))
                assert all(count == size for _, _, count in found), "a short body"
                time.sleep(1)
                first = statistics.median(times[0] for times in found)
                last = max(times[1] for times in found)
                cost = (server.cpu() - before) / (clients * size / 1e9)
                rows.setdefault(server.name, []).append(
                    (counting.gets, counting.bytes / size, first, last, cost)
                )
        names = (
            "upstream GETs",
            "upstream bytes / size",
            "s to first byte",
            "s to last byte",
            "CPU s per GB served",
        )
        for position, what in enumerate(names):
            mine = statistics.median(row[position] for row in rows["ours"])
            other = statistics.median(row[position] for row in rows["theirs"])
            figures[f"cold, {clients} clients: {what}"] = {
                "ours": mine,
                "theirs": other,
                "ratio": mine / other if other else 0.0,
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=("small", "large", "cold"))
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="txr-bench-"))
    figures: dict[str, Any] = {}
    parts = {"small": measure_small, "large": measure_large, "cold": measure_cold}
    try:
        with servers(directory) as setting:
            for name, part in parts.items():
                if options.only in (None, name):
                    part(figures, setting, options.quick)
            mine, other = setting[2].peak_memory(), setting[3].peak_memory()
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
