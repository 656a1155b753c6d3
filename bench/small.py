"""Compare small answers with Debian's docker-registry, and with nginx as the limit.

CPU of the server in microseconds for each answer to a GET or HEAD of a manifest, by tag
and by digest, and of a blob of 1.5 kB, on some kept connections, all of it in memory.
nginx serves files of the same lengths. Each figure is the median of some rounds in
which all take turns; the client runs on another core where there is one.

Usage: ``python bench/small.py [--quick] [--json]``; a minute.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

from cache import ACCEPT, push_blob, push_image
from peers import Server, free_port, pin, wait_for

#: Connections that ask at once.
CONNECTIONS = 16

#: Answers of one round.
COUNT, QUICK_COUNT, ROUNDS = 2000, 300, 7

#: What nginx would write below its own directories.
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")

Figures = dict[str, dict[str, float]]


class Asker:
    """One kept connection; requests are written by hand, so that it costs little."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb", 64 * 1024)

    def ask(self, request: bytes) -> None:
        self.socket.sendall(request)

    def answer(self, request: bytes, has_body: bool) -> None:
        status, length = self.file.readline(), 0
        assert b" 200 " in status, (request, status)
        while (line := self.file.readline()) != b"\r\n":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if has_body:
            assert len(self.file.read(length)) == length

    def close(self) -> None:
        self.file.close()
        self.socket.close()


class Nginx:
    """Serves files."""

    def __init__(self, directory: Path) -> None:
        self.port, self.root = free_port(), directory / "files"
        self.root.mkdir()
        config = directory / "nginx.conf"
        config.write_text(
            f"daemon off; user root; worker_processes 1; pid {directory}/nginx.pid;\n"
            "error_log stderr;\nevents {}\nhttp { access_log off; sendfile on;\n"
            + "".join(f"{kind}_temp_path {directory}/{kind};\n" for kind in TEMPORARY)
            + f"server {{ listen 127.0.0.1:{self.port}; root {self.root};\n"
            "keepalive_requests 1000000000; } }\n"
        )
        self.process = subprocess.Popen(
            [program("nginx"), "-c", str(config), "-e", "stderr"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self.port)
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        while not (found := children.read_text().split()):
            time.sleep(0.01)
        self.worker = int(found[0])

    def cpu(self) -> float:
        text = Path(f"/proc/{self.worker}/schedstat").read_text()
        return int(text.split()[0]) / 1e9

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


def program(name: str) -> str:
    """Find a program among those of the project, or of the system."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin"
    found = shutil.which(name, path=path)
    assert found is not None, f"there is no {name}"
    return found


def request(method: str, path: str) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: registry.example\r\n"
    head += f"User-Agent: bench/1\r\nAccept: {ACCEPT['Accept']}\r\n"
    return (head + "Accept-Encoding: gzip\r\n\r\n").encode()


def fill(server: Server) -> dict[str, bytes]:
    """Push an image and a blob; give what is asked for."""
    name = "bench/small"
    digest, _ = push_image(server, name, "v1")
    blob = push_blob(server, name, os.urandom(1500))
    return {
        "manifest GET by tag, us": request("GET", f"/v2/{name}/manifests/v1"),
        "manifest GET by digest, us": request("GET", f"/v2/{name}/manifests/{digest}"),
        "manifest HEAD by tag, us": request("HEAD", f"/v2/{name}/manifests/v1"),
        "blob HEAD, us": request("HEAD", f"/v2/{name}/blobs/{blob}"),
        "blob GET 1.5 kB, us": request("GET", f"/v2/{name}/blobs/{blob}"),
    }


def files(nginx: Nginx) -> dict[str, bytes]:
    """Give what nginx is asked for in the place of each."""
    (nginx.root / "manifest").write_bytes(os.urandom(560))
    (nginx.root / "blob").write_bytes(os.urandom(1500))
    return {
        "manifest GET by tag, us": request("GET", "/manifest"),
        "manifest GET by digest, us": request("GET", "/manifest"),
        "manifest HEAD by tag, us": request("HEAD", "/manifest"),
        "blob HEAD, us": request("HEAD", "/blob"),
        "blob GET 1.5 kB, us": request("GET", "/blob"),
    }


def spent(server: Server | Nginx, asked: bytes, count: int) -> float:
    """Give the CPU microseconds of one answer."""
    askers = [Asker(server.port) for _ in range(CONNECTIONS)]
    ask_all(askers, asked, 5)
    before = server.cpu()
    ask_all(askers, asked, count // CONNECTIONS)
    used = server.cpu() - before
    for asker in askers:
        asker.close()
    return used / (count // CONNECTIONS * CONNECTIONS) * 1e6


def ask_all(askers: list[Asker], asked: bytes, times: int) -> None:
    """Ask on all connections, then wait for all answers, and again."""
    has_body = asked.startswith(b"GET")
    for _ in range(times):
        for asker in askers:
            asker.ask(asked)
        for asker in askers:
            asker.answer(asked, has_body)


def measure(directory: Path, count: int) -> Figures:
    """Give the figures of all servers."""
    servers: dict[str, Server | Nginx] = {
        "ours": Server(directory, "ours", ours=True),
        "theirs": Server(directory, "theirs", ours=False),
        "nginx": Nginx(directory),
    }
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    try:
        asked = {
            name: files(server) if isinstance(server, Nginx) else fill(server)
            for name, server in servers.items()
        }
        pin([getattr(s, "worker", s.process.pid) for s in servers.values()])
        for what in asked["ours"]:
            for _ in range(ROUNDS):
                for name, server in servers.items():
                    used = spent(server, asked[name][what], count)
                    found[what][name].append(used)
    finally:
        for server in servers.values():
            server.stop()
    return {
        what: {name: median(values) for name, values in row.items()}
        for what, row in found.items()
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="txr-bench-"))
    try:
        figures = measure(directory, QUICK_COUNT if options.quick else COUNT)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    for what, row in figures.items():
        print(f"{what:28}", *(f"{name} {value:7.1f}" for name, value in row.items()))


if __name__ == "__main__":
    main()
