"""Compare two processes on one port with one, on GETs of a manifest that is in memory.

Three ways over the same directory: one process that has it to itself, one that shares
it, and two that share it and the port. Measured are requests per second of all clients
together, and the CPU of the registry for each request. What sharing costs shows in the
CPU; what a second process is worth shows in requests per second, on a machine that has
nothing else to do.

Usage: ``python bench/processes.py [--quick] [--json]``.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from peers import TWISTD, Server, free_port

CLIENTS = 8
SECONDS, QUICK_SECONDS = 4.0, 1.0
ROUNDS, QUICK_ROUNDS = 5, 2

#: Answers that a client reads at once.
READ_BYTES = 64 * 1024

NAME = "bench/warm"

Figures = dict[str, dict[str, float]]


class Process(Server):
    """A process on a port that others may listen on as well."""

    def __init__(self, directory: Path, name: str, port: int, shared: bool) -> None:
        self.name, self.port = name, port
        config = {
            "version": "0.1",
            "log": {"level": "info", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {
                    "rootdirectory": str(directory / "root"),
                    "shared": shared,
                },
                "cache": {"blobdescriptor": "" if shared else "inmemory"},
            },
            "http": {"addr": f"127.0.0.1:{port}", "reuseport": shared},
        }
        path = directory / f"{name}.yml"
        path.write_text(yaml.safe_dump(config))
        state = str(directory / f"state-{name}")
        environment = {**os.environ, "NO_PROXY": "*", "STATE_DIRECTORY": state}
        self.log = directory / f"{name}.log"
        argv = [TWISTD, "-n", "--pidfile=", "registry", "-c", str(path)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                argv, stdout=log, stderr=log, env=environment, cwd=directory
            )
        self.wait()

    def wait(self) -> None:
        """Wait until this process listens, and not only another one."""
        for _ in range(2400):
            if b"ready on" in self.log.read_bytes():
                return
            time.sleep(0.05)
        raise RuntimeError(f"{self.name} does not answer")


def push(server: Server) -> str:
    """Push a small image; give the path of its manifest."""
    _, headers, _ = server.ask("POST", f"/v2/{NAME}/blobs/uploads/")
    digest = (
        "sha256:" + "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    )
    place = headers["Location"].partition("/v2/")[2]
    server.ask("PUT", f"/v2/{place}&digest={digest}", b"{}")
    kind = "application/vnd.oci.image.manifest.v1+json"
    config = {"mediaType": "application/vnd.oci.image.config.v1+json"}
    manifest = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": {**config, "digest": digest, "size": 2},
        "layers": [],
    }
    path = f"/v2/{NAME}/manifests/latest"
    status, _, body = server.ask(
        "PUT", path, json.dumps(manifest).encode(), **{"Content-Type": kind}
    )
    if status != 201:
        raise RuntimeError(body.decode())
    return path


def client(port: int, path: str, seconds: float) -> int:
    """Ask again and again on one connection; give how often it was answered.

    It begins when it is told to, once all clients are there.
    """
    question = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n".encode()
    count = 0
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall(question)
        length = len(connection.recv(READ_BYTES))
        print("ready", flush=True)
        sys.stdin.readline()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            connection.sendall(question)
            left = length
            while left > 0:
                left -= len(connection.recv(READ_BYTES))
            count += 1
    return count


def load(port: int, path: str, seconds: float) -> int:
    """Run all clients, each in a process; give how often they were answered."""
    argv = [sys.executable, __file__, "--client", str(port), path, str(seconds)]
    both: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    running = [subprocess.Popen(argv, **both) for _ in range(CLIENTS)]
    for found in running:
        found.stdout.readline()
    for found in running:
        found.stdin.write(b"\n")
        found.stdin.flush()
    return sum(int(found.communicate()[0]) for found in running)


def measure(
    servers: Sequence[Process], path: str, seconds: float
) -> tuple[float, float]:
    """Give requests per second, and the CPU microseconds of one."""
    load(servers[0].port, path, seconds / 4)
    before = sum(server.cpu() for server in servers)
    count = load(servers[0].port, path, seconds)
    used = sum(server.cpu() for server in servers) - before
    return count / seconds, used / count * 1e6


def compare(directory: Path, seconds: float, rounds: int) -> Figures:
    """Measure the three ways in turns; give the medians."""
    ways = {"one alone": 1, "one that shares": 1, "two that share": 2}
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, count in ways.items():
            port, shared = free_port(), way != "one alone"
            servers = [
                Process(directory, f"{number}", port, shared) for number in range(count)
            ]
            try:
                found[way].append(measure(servers, push(servers[0]), seconds))
            finally:
                for server in servers:
                    server.stop()
    return {
        way: {
            "requests per second": statistics.median(rate for rate, _ in pairs),
            "CPU microseconds": statistics.median(cpu for _, cpu in pairs),
        }
        for way, pairs in found.items()
    }


def main() -> None:
    """Print the figures."""
    if sys.argv[1:2] == ["--client"]:
        port, path, until = sys.argv[2:]
        with suppress(OSError):
            print(client(int(port), path, float(until)))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    seconds = QUICK_SECONDS if options.quick else SECONDS
    rounds = QUICK_ROUNDS if options.quick else ROUNDS
    with tempfile.TemporaryDirectory(prefix="txregistry-bench-") as place:
        figures = compare(Path(place), seconds, rounds)
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    for way, row in figures.items():
        rate, cpu = row.values()
        print(f"{way:20} {rate:8.0f} requests/s {cpu:8.0f} us of CPU for each")


if __name__ == "__main__":
    main()
