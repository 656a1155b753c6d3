"""Compare with Debian's docker-registry on an object store: Ceph's gateway, in one run.

For each way to cache descriptors (none, in memory, in redis) both registries serve a
small blob out of buckets of one gateway, in turns: requests per second of some clients
at once, CPU of the registry for each request, and how many questions the gateway has
counted for each. Ours does not use a cache in memory on storage that others change, so
its figures of that way are those of none. Then each pushes and pulls a large blob, and
the most memory it had by then is told. Figures are medians.

Usage: ``python bench/s3.py [--quick] [--json] [--mib SIZE]``, with the directory of the
project in ``PYTHONPATH``. Needs Ceph, ``redis-server`` and ``docker-registry``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import socket
import statistics
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from botocore.session import get_session
from cache import download, push_blob, together
from peers import MIB, TWISTD, Server, free_port, show

from tests.integration.ceph import ACCESS_KEY, SECRET_KEY, Ceph

CLIENTS = 4
REQUESTS, QUICK_REQUESTS = 400, 60
ROUNDS, QUICK_ROUNDS = 5, 3

BLOB_BYTES = 20_000
NAME = "bench/s3"

#: The keys of the distribution file: 2.8.2 has no caches but these.
CACHES = {"no cache": "", "memory": "inmemory", "redis": "redis"}

Figures = dict[str, dict[str, float]]


class Node(Server):
    """A registry on a bucket."""

    def __init__(
        self, directory: Path, ceph: Ceph, is_ours: bool, cache: str, redis: int
    ) -> None:
        self.name, self.port = "ours" if is_ours else "theirs", free_port()
        path = directory / f"{self.name}-{self.port}.yml"
        section = {**ceph.section(self.name), "secure": False}
        config: dict[str, Any] = {
            "version": "0.1",
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {
                "s3": section,
                "redirect": {"disable": True},
                "delete": {"enabled": True},
            },
            "http": {"addr": f"127.0.0.1:{self.port}", "secret": "the same"},
        }
        if cache:
            config["storage"]["cache"] = {"blobdescriptor": cache}
        if cache == "redis":
            config["redis"] = {"addr": f"127.0.0.1:{redis}", "db": int(is_ours)}
        path.write_text(yaml.safe_dump(config))
        argv = ["docker-registry", "serve", str(path)]
        if is_ours:
            argv = [TWISTD, "-n", "--pidfile=", "registry", "-c", str(path)]
        environment = {**os.environ, "NO_PROXY": "*", "OTEL_TRACES_EXPORTER": "none"}
        # docker-registry panics where it finds this one.
        environment.pop("AWS_CA_BUNDLE", None)
        with path.with_suffix(".log").open("wb") as log:
            self.process = subprocess.Popen(
                argv, stdout=log, stderr=log, env=environment, cwd=directory
            )
        self.wait()


def gateway_count(ceph: Ceph) -> int:
    """Ask the gateway how many requests it has had."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(ceph.home / "client.rgw.asok"))
        connection.sendall(b'{"prefix": "perf dump"}\0')
        with connection.makefile("rb") as answer:
            (length,) = struct.unpack(">I", answer.read(4))
            found = json.loads(answer.read(length))
    return int(found["rgw"]["req"])


def make_buckets(ceph: Ceph) -> None:
    client = get_session().create_client(
        "s3",
        region_name="default",
        endpoint_url=ceph.url,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )
    for name in ("ours", "theirs"):
        client.create_bucket(Bucket=name)


@contextmanager
def redis_server(directory: Path) -> Iterator[int]:
    port = free_port()
    argv = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with (directory / "redis.log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=directory)
    try:
        yield port
    finally:
        process.terminate()
        process.wait(30)


def ask(server: Server, method: str, path: str, count: int) -> None:
    """Ask again and again on one connection."""
    connection = server.connect()
    for _ in range(count):
        connection.request(method, path)
        response = connection.getresponse()
        body = response.read()
        if response.status != 200 or len(body) != BLOB_BYTES * (method == "GET"):
            raise RuntimeError(f"{server.name}: {method} is {response.status}")
    connection.close()


def measure(
    ceph: Ceph, server: Server, method: str, path: str, count: int
) -> tuple[float, float, float]:
    """Give requests per second, milliseconds of CPU and questions for each."""
    ask(server, method, path, 5)
    asked, used, began = gateway_count(ceph), server.cpu(), time.monotonic()
    together(CLIENTS, lambda: ask(server, method, path, count // CLIENTS))
    seconds, used = time.monotonic() - began, server.cpu() - used
    return count / seconds, used / count * 1e3, (gateway_count(ceph) - asked) / count


def compare_small(
    figures: Figures, ceph: Ceph, cache: str, servers: list[Node], quick: bool
) -> None:
    """Measure a HEAD and a GET of a small blob at both, in turns."""
    digest = ""
    content = os.urandom(BLOB_BYTES)
    for server in servers:
        digest = push_blob(server, NAME, content)
    path = f"/v2/{NAME}/blobs/{digest}"
    count = QUICK_REQUESTS if quick else REQUESTS
    for method in ("HEAD", "GET"):
        found: dict[str, list[tuple[float, float, float]]] = {}
        for _ in range(QUICK_ROUNDS if quick else ROUNDS):
            for server in servers:
                row = measure(ceph, server, method, path, count)
                found.setdefault(server.name, []).append(row)
        names = ("requests/s", "ms of CPU", "questions to S3")
        for place, what in enumerate(names):
            mine = [row[place] for row in found["ours"]]
            other = [row[place] for row in found["theirs"]]
            figures[f"{cache}: {method} blob, {what}"] = medians(mine, other)


def medians(mine: list[float], other: list[float]) -> dict[str, float]:
    """Give both medians, and that of the ratios."""
    pairs = zip(mine, other, strict=True)
    return {
        "ours": statistics.median(mine),
        "theirs": statistics.median(other),
        "ratio": statistics.median(a / b if b else 0.0 for a, b in pairs),
    }


def push_large(server: Server, mebibytes: int) -> str:
    """Push a blob without having it in memory; give its digest."""
    piece, whole = os.urandom(MIB), hashlib.sha256()
    for _ in range(mebibytes):
        whole.update(piece)
    digest = f"sha256:{whole.hexdigest()}"
    _, headers, _ = server.ask("POST", f"/v2/{NAME}/blobs/uploads/")
    place = headers["Location"].partition("/v2/")[2]
    joint = "&" if "?" in place else "?"
    connection = server.connect()
    connection.request(
        "PUT",
        f"/v2/{place}{joint}digest={digest}",
        (piece for _ in range(mebibytes)),
        {
            "Content-Length": str(mebibytes * MIB),
            "Content-Type": "application/octet-stream",
        },
    )
    response = connection.getresponse()
    body = response.read()
    if response.status != 201:
        raise RuntimeError(f"{server.name}: {body.decode()}")
    connection.close()
    return digest


def large(server: Server, mebibytes: int) -> dict[str, float]:
    """Push and pull a large blob; give what it took."""
    found = {"peak MB when ready": server.peak_memory() / 1e6}
    before = server.cpu()
    digest = push_large(server, mebibytes)
    gigabytes = mebibytes * MIB / 1e9
    found["CPU s per GB, push"] = (server.cpu() - before) / gigabytes
    found["peak MB after a push"] = server.peak_memory() / 1e6
    before = server.cpu()
    _, _, size = download(server, f"/v2/{NAME}/blobs/{digest}")
    if size != mebibytes * MIB:
        raise RuntimeError(f"{server.name}: {size} bytes came")
    found["CPU s per GB, pull"] = (server.cpu() - before) / gigabytes
    found["peak MB after a pull"] = server.peak_memory() / 1e6
    return found


@contextmanager
def nodes(directory: Path, ceph: Ceph, cache: str, redis: int) -> Iterator[list[Node]]:
    found: list[Node] = []
    try:
        # One that has started is ended, also if the other does not start.
        found.extend(
            Node(directory, ceph, is_ours, cache, redis) for is_ours in (True, False)
        )
        yield found
    finally:
        for node in found:
            node.stop()


def measure_all(directory: Path, ceph: Ceph, options: Any) -> Figures:
    figures: Figures = {}
    with redis_server(directory) as redis:
        for cache, key in CACHES.items():
            with nodes(directory, ceph, key, redis) as servers:
                compare_small(figures, ceph, cache, servers, options.quick)
        with nodes(directory, ceph, "", redis) as servers:
            mine, other = (large(server, options.mib) for server in servers)
    for what, figure in mine.items():
        figures[f"{options.mib} MiB: {what}"] = medians([figure], [other[what]])
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--mib", type=int, default=256, help="size of the large blob")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="txr-bench-"))
    ceph = Ceph.start()
    try:
        make_buckets(ceph)
        figures = measure_all(directory, ceph, options)
    finally:
        ceph.stop()
        shutil.rmtree(directory, ignore_errors=True)
    show(figures, options.json)


if __name__ == "__main__":
    main()
