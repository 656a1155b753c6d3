"""Compare TLS with Debian's docker-registry: large blobs both ways.

CPU of the registry per gigabyte for a GET and for a push of one large blob, by HTTP/1.1
and by HTTP/2, and over plain TCP beside them; the client is curl, on another core where
there is one. What is pulled is in the page cache. Each figure is the median of some
rounds in which all take turns.

Usage: ``python bench/tls.py [--quick] [--json]``; a minute.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import ssl
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from peers import MIB, Server, pin

from tests.integration.tls import Authority

#: What curl is told, and over what.
WAYS = {"plain": "http", "http1.1": "https", "http2": "https"}


class Site:
    """A registry, plain or with TLS, and the client of it."""

    def __init__(self, directory: Path, ours: bool, authority: Authority, tls: bool):
        name = f"{'ours' if ours else 'theirs'}-{'tls' if tls else 'plain'}"
        self.authority, self.tls, merge = authority, tls, {}
        if tls:
            issued = authority.issue("127.0.0.1")
            merge["tls"] = {
                "certificate": str(issued.certificate),
                "key": str(issued.key),
            }
            merge["http2"] = {"prefer": True} if ours else {}
        context = ssl.create_default_context(cafile=str(authority.path))
        self.server = Server(
            directory, name, ours, http=merge, context=context if tls else None
        )

    def curl(self, way: str, *options: str) -> str:
        flags = ["--http2" if way == "http2" else "--http1.1"]
        command = ["curl", "-sSf", "--cacert", str(self.authority.path), *flags]
        done = subprocess.run(
            [*command, *options], check=True, capture_output=True, text=True
        )
        return done.stdout

    def url(self, path: str) -> str:
        scheme = "https" if self.tls else "http"
        return f"{scheme}://127.0.0.1:{self.server.port}{path}"

    def push(self, way: str, path: Path, digest: str) -> None:
        """Push a file as one blob."""
        begun = self.curl(
            way,
            *("-X", "POST", "-o", os.devnull, "-w", "%header{location}"),
            self.url("/v2/bench/a/blobs/uploads/"),
        )
        place = begun[begun.index("/v2/") :]
        joint = "&" if "?" in place else "?"
        self.curl(
            way,
            *("-T", str(path), "-H", "Content-Type: application/octet-stream"),
            *("-H", "Expect:", self.url(f"{place}{joint}digest={digest}")),
        )

    def pull(self, way: str, digest: str) -> None:
        self.curl(way, "-o", os.devnull, self.url(f"/v2/bench/a/blobs/{digest}"))


def blob(directory: Path, size: int) -> tuple[Path, str]:
    """Write a blob; give its file and digest."""
    path, content = directory / "blob", os.urandom(size)
    path.write_bytes(content)
    return path, "sha256:" + hashlib.sha256(content).hexdigest()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    size, rounds = (64 * MIB, 2) if options.quick else (256 * MIB, 5)
    directory = Path(tempfile.mkdtemp(prefix="txr-bench-"))
    try:
        figures = measure(directory, size, rounds)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    for what, row in figures.items():
        print(f"{what:24}", *(f"{name} {value:6.2f}" for name, value in row.items()))


def measure(directory: Path, size: int, rounds: int) -> dict[str, dict[str, float]]:
    """Give CPU seconds per gigabyte: of each way and direction, ours and theirs."""
    authority = Authority(directory / "authority")
    sites = {
        (name, tls): Site(directory, name == "ours", authority, tls)
        for name in ("ours", "theirs")
        for tls in (False, True)
    }
    path, known = blob(directory, size)
    for site in sites.values():
        site.push("http1.1", path, known)
    pin([site.server.process.pid for site in sites.values()])
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    try:
        for number in range(rounds + 1):
            path, digest = blob(directory, size)
            for way, scheme in WAYS.items():
                for name in ("ours", "theirs"):
                    site = sites[name, scheme == "https"]
                    calls = {
                        "push": partial(site.push, way, path, digest),
                        "pull": partial(site.pull, way, known),
                    }
                    for what, call in calls.items():
                        used = spent(site.server, call) / size * 1e9
                        if number:  # the first round warms up
                            found[f"{what} {way}, s/GB"][name].append(used)
    finally:
        for site in sites.values():
            site.server.stop()
    return {
        what: {name: median(values) for name, values in row.items()}
        for what, row in sorted(found.items())
    }


def spent(server: Server, call: Callable[[], None]) -> float:
    """Give the CPU seconds that a registry takes for something."""
    before = server.cpu()
    call()
    return server.cpu() - before


if __name__ == "__main__":
    main()
