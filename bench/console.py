"""The admin pages of a large cache: their times, their sizes, and what they cost.

A tree of many repositories is written, two hundred downloads from a slow upstream are
begun, and each page is fetched some times: milliseconds until it is here, of the CPU of
the daemon, and its bytes. Then an overview is left open, and pulls of a large blob are
measured with it and without, in turns. There is no peer whose pages show a cache.

Usage: ``python bench/console.py [REPOSITORIES]``; an hour for 10,000 of 10 tags, as the
cache takes its time to find out which of them would pull.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from threading import Thread
from typing import BinaryIO

from peers import Server, free_port, wait_for

from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storage.tree import layout

#: Tags of each repository, images that these stand for, and downloads under way.
TAGS, IMAGES, DOWNLOADS = 10, 1000, 200

#: Seconds for which an overview is left open, and how often a page is fetched.
OPEN_SECONDS, TIMES = 60, 7

KIND = "application/vnd.oci.image.manifest.v1+json"

#: The upstream: as many blobs as there are downloads, of which a part comes, and then
#: nothing for a long time.
SLOW = """
import sys
from twisted.internet import reactor
from twisted.web.server import Site
from txregistry.testing.upstream import FakeUpstream, Fault
upstream = FakeUpstream(reactor)
often = {downloads} * 3
fault = Fault("/blobs/", often, "GET", cut_after=100_000, how="hang")
upstream.faults.append(fault)
for number in range({downloads}):
    print(upstream.add_blob("big", b"%d " % number + bytes(200_000)))
reactor.listenTCP({port}, Site(upstream), interface="127.0.0.1")
sys.stdout.flush()
reactor.run()
"""


class Tree:
    """Writes a storage directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, path: str, content: bytes) -> None:
        target = self.root / path.removeprefix("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    def blob(self, content: bytes) -> Digest:
        digest = Digest.of(content)
        self.put(layout.blob_data(digest), content)
        return digest

    def image(self, number: int) -> tuple[Digest, list[Digest]]:
        layers = [self.blob(b"%d" % number + os.urandom(900)) for _ in range(3)]
        described = [
            {"mediaType": "application/x", "digest": str(layer), "size": 900}
            for layer in layers
        ]
        manifest = {
            "schemaVersion": 2,
            "mediaType": KIND,
            "config": described[0],
            "layers": described[1:],
        }
        return self.blob(json.dumps(manifest).encode()), layers

    def repository(self, name: str, image: tuple[Digest, list[Digest]]) -> None:
        top, layers = image
        parsed = RepositoryName.parse(name)
        self.put(layout.revision_link(parsed, top), str(top).encode())
        for layer in layers:
            self.put(layout.layer_link(parsed, layer), str(layer).encode())
        for number in range(TAGS):
            tag = Tag.parse(f"v{number}")
            self.put(layout.tag_current(parsed, tag), str(top).encode())
            self.put(layout.tag_index(parsed, tag, top), str(top).encode())


def begin(port: int, path: str) -> socket.socket:
    """Begin a download, and read none of it."""
    asking = socket.create_connection(("127.0.0.1", port))
    asking.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    return asking


def fetch(port: int, path: str) -> bytes:
    """Fetch a page."""
    connection = HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("GET", path)
    answer = connection.getresponse()
    content = answer.read()
    assert answer.status == 200, (path, answer.status, content[:200])
    connection.close()
    return content


def pages(server: Server, admin: int) -> None:
    """Print what each page takes."""
    print(f"{'':46}      ms  CPU ms      kB")
    for path in (
        "/",
        "/browse",
        "/browse?text=app9999",
        "/repository?name=org/app77",
        "/image?name=org/app77:v3",
        "/activity",
        "/actions",
        "/api/v1/overview",
    ):
        took, used, size = [], [], 0
        for _ in range(TIMES):
            before, cpu = time.perf_counter(), server.cpu()
            size = len(fetch(admin, path))
            took.append((time.perf_counter() - before) * 1000)
            used.append((server.cpu() - cpu) * 1000)
        print(f"{path:46} {median(took):7.1f} {median(used):7.1f} {size / 1000:7.1f}")


def first_look(server: Server, admin: int) -> None:
    """Wait until it is known what would pull; print how long that took, and CPU."""
    began, cpu = time.perf_counter(), server.cpu()
    while True:
        found = json.loads(fetch(admin, "/api/v1/overview"))["cache"]["readiness"]
        if found["at"]:
            break
        time.sleep(10)
    minutes, used = (time.perf_counter() - began) / 60, server.cpu() - cpu
    ready = f"{found['ready']} of {found['tags']} tags are ready"
    print(f"{ready}: looked at in {minutes:.1f} minutes, {used:.0f} s of CPU")


@contextmanager
def overview_open(admin: int) -> Iterator[None]:
    """Have an overview open, and read what it is told."""
    asking = begin(admin, "/live")
    with asking.makefile("rb") as told:
        status = told.readline()
        assert b" 200 " in status, status
        reader = Thread(target=drain, args=(told,), daemon=True)
        reader.start()
        yield
        asking.shutdown(socket.SHUT_RDWR)
        reader.join()
    asking.close()


def drain(told: BinaryIO) -> None:
    """Read to the end."""
    while told.read1():
        pass


def open_overview(server: Server, admin: int) -> None:
    """Print what an open overview takes of a core."""

    def spent() -> float:
        before = server.cpu()
        time.sleep(OPEN_SECONDS)
        return (server.cpu() - before) / OPEN_SECONDS * 100

    # The tree is scanned after each start, which takes a while.
    for _ in range(30):
        if (idle := spent()) < 5:
            break
    with overview_open(admin):
        time.sleep(1)
        shown = spent()
    print(
        f"of a core: {idle:.2f} % without a page, {shown:.2f} % with an open overview"
    )


def pulls(server: Server, admin: int, blob: str) -> None:
    """Print what a pull takes with an open overview and without."""
    found: dict[bool, list[float]] = {True: [], False: []}
    for is_open in (False, True) * 7:
        with overview_open(admin) if is_open else nullcontext():
            time.sleep(0.2)
            before = server.cpu()
            url = f"http://127.0.0.1:{server.port}{blob}"
            subprocess.run(["curl", "-sSf", "-o", "/dev/null", url], check=True)
            found[is_open].append((server.cpu() - before) * 8)
    without, with_page = median(found[False]), median(found[True])
    print(f"pull, CPU s/GB: {without:.2f} without a page, {with_page:.2f} with one")


def main() -> None:
    """Measure and print."""
    repositories = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    directory = Path(tempfile.mkdtemp(prefix="txr-bench-", dir=os.environ.get("BENCH")))
    slow_port, admin = free_port(), free_port()
    code = SLOW.format(downloads=DOWNLOADS, port=slow_port)
    slow = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        tree = Tree(directory / "cache")
        images = [tree.image(number) for number in range(min(IMAGES, repositories))]
        for number in range(repositories):
            tree.repository(f"org/app{number}", images[number % len(images)])
        large = os.urandom(128 * 1024 * 1024)
        tree.blob(large)
        digest = f"sha256:{hashlib.sha256(large).hexdigest()}"
        parsed = RepositoryName.parse("org/large")
        link = layout.layer_link(parsed, Digest.parse(digest))
        tree.put(link, digest.encode())
        wait_for(slow_port)
        remote = f"http://127.0.0.1:{slow_port}"
        server = Server(
            directory,
            "cache",
            ours=True,
            http={"admin": {"addr": f"127.0.0.1:{admin}"}},
            more={"proxy": {"remoteurl": remote, "maxfills": DOWNLOADS}},
        )
        try:
            assert slow.stdout is not None
            blobs = [slow.stdout.readline().decode().strip() for _ in range(DOWNLOADS)]
            waiting = [begin(server.port, f"/v2/big/blobs/{blob}") for blob in blobs]
            time.sleep(20)
            under_way = json.loads(fetch(admin, "/api/v1/overview"))["cache"]
            print(
                f"{repositories * TAGS} tags, {under_way['downloads_number']} downloads"
            )
            pages(server, admin)
            first_look(server, admin)
            open_overview(server, admin)
            pulls(server, admin, f"/v2/org/large/blobs/{digest}")
            for asking in waiting:
                asking.close()
        finally:
            server.stop()
    finally:
        slow.terminate()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
