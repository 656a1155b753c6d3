"""Compare long lists of names with Debian's docker-registry, on the same tree.

A thousand, ten thousand and a hundred thousand tags in one repository, and as many
repositories, written to the disk as the layout says. Measured are the first answer
after a start, which has to look at the tree, then pages of 100 at the beginning, in the
middle and at the end: median time and CPU of the registry. docker-registry lists all
tags in every answer, so that is what a page of tags costs with it.

It takes ten minutes, most of them to write and remove the files.

Usage: ``python bench/names.py [--quick] [--json]``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from peers import Server, show

PAGE = 100
SIZES = (1000, 10_000, 100_000)

#: Pages that are asked for at most, and the seconds after which it is enough.
REPEATS, ENOUGH_SECONDS = 200, 2.0

REPOSITORY = "bench/many"

Figures = dict[str, dict[str, float]]


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Tree:
    """Repositories of a storage directory, filled by hand."""

    def __init__(self, root: Path) -> None:
        v2 = root / "docker" / "registry" / "v2"
        self.repositories = v2 / "repositories"
        self.blobs = v2 / "blobs" / "sha256"
        self.manifest = json.dumps({"schemaVersion": 2, "manifests": []})
        digest = digest_of(self.manifest)
        data = self.blobs / digest[:2] / digest / "data"
        data.parent.mkdir(parents=True)
        data.write_text(self.manifest)

    def link(self, directory: Path, digest: str) -> None:
        directory.mkdir(parents=True)
        (directory / "link").write_text(f"sha256:{digest}")

    def add_tags(self, names: Sequence[str]) -> None:
        """Let each tag stand for the one manifest there is."""
        manifests = self.repositories / REPOSITORY / "_manifests"
        digest = digest_of(self.manifest)
        self.link(manifests / "revisions" / "sha256" / digest, digest)
        layers = self.repositories / REPOSITORY / "_layers" / "sha256"
        self.link(layers / digest, digest)
        for name in names:
            tag = manifests / "tags" / name
            self.link(tag / "current", digest)
            self.link(tag / "index" / "sha256" / digest, digest)

    def add_repositories(self, names: Sequence[str]) -> None:
        """Give each repository a blob, which is what makes it one."""
        digest = digest_of(self.manifest)
        for name in names:
            layers = self.repositories / name / "_layers"
            self.link(layers / "sha256" / digest, digest)


class Reader:
    """Asks one registry for lists, over one connection."""

    def __init__(self, server: Server, path: str, field: str, paged: bool) -> None:
        self.server, self.path, self.field, self.paged = server, path, field, paged
        self.connection = server.connect()

    def page(self, after: str) -> list[str]:
        """Give a page of names, or all of them where there are no pages."""
        query = f"?n={PAGE}" + (f"&last={after}" if after else "")
        self.connection.request("GET", self.path + (query if self.paged else ""))
        response = self.connection.getresponse()
        body = response.read()
        assert response.status == 200, body
        found: list[str] = json.loads(body)[self.field]
        return found

    def cost(self, after: str, wanted: list[str]) -> tuple[float, float]:
        """Give milliseconds per page, the median, and of CPU, the mean."""
        taken: list[float] = []
        cpu, began = self.server.cpu(), time.monotonic()
        while len(taken) < REPEATS and time.monotonic() - began < ENOUGH_SECONDS:
            started = time.monotonic()
            found = self.page(after)
            taken.append(time.monotonic() - started)
            assert not self.paged or found == wanted, (after, found[:3], wanted[:3])
        used = (self.server.cpu() - cpu) / len(taken)
        return statistics.median(taken) * 1e3, used * 1e3


def resident(server: Server) -> int:
    """Give the bytes that a registry holds in memory now."""
    text = Path(f"/proc/{server.process.pid}/status").read_text()
    line = next(found for found in text.splitlines() if found.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def measure(reader: Reader, names: list[str]) -> dict[str, float]:
    """Give what everything costs one registry, by what it is."""
    server = reader.server
    before = resident(server)
    cpu, began = server.cpu(), time.monotonic()
    reader.page("")
    figures = {
        "first answer, ms": (time.monotonic() - began) * 1e3,
        "first answer, CPU ms": (server.cpu() - cpu) * 1e3,
    }
    middle = len(names) // 2
    for where, start in (
        ("first", 0),
        ("middle", middle),
        ("last", len(names) - PAGE),
    ):
        after = names[start - 1] if start else ""
        taken, used = reader.cost(after, names[start : start + PAGE])
        figures[f"{where} page, ms"] = taken
        figures[f"{where} page, CPU ms"] = used
    figures["resident memory grows by MB"] = (resident(server) - before) / 1e6
    figures["peak resident MB"] = server.peak_memory() / 1e6
    return figures


def compare(
    directory: Path, fill: Callable[[Tree], None], names: list[str], tags: bool
) -> tuple[dict[str, float], dict[str, float]]:
    """Fill a tree and have both registries list it, one after the other."""
    directory.mkdir()
    try:
        fill(Tree(directory / "ours"))
        # Both work on one tree.
        (directory / "theirs").symlink_to("ours")
        found = []
        for name in ("ours", "theirs"):
            server = Server(directory, name, ours=name == "ours")
            try:
                found.append(measure(_reader(server, tags), names))
            finally:
                server.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return found[0], found[1]


def _reader(server: Server, tags: bool) -> Reader:
    if tags:
        paged = server.name == "ours"
        return Reader(server, f"/v2/{REPOSITORY}/tags/list", "tags", paged)
    return Reader(server, "/v2/_catalog", "repositories", True)


def row(ours: float, theirs: float) -> dict[str, float]:
    ratio = ours / theirs if theirs else 0.0
    return {"ours": ours, "theirs": theirs, "ratio": ratio}


def list_both(directory: Path, sizes: Sequence[int], tags: bool) -> Figures:
    """Give all figures of one kind of list, and how they grow with its length."""
    kind, figures = "tags" if tags else "repositories", {}
    by_size = {}
    for size in sizes:
        if tags:
            names = sorted(f"v{number:06}" for number in range(size))
        else:
            names = sorted(f"g{n // 1000:03}/r{n % 1000:03}" for n in range(size))

        def fill(tree: Tree, names: list[str] = names) -> None:
            (tree.add_tags if tags else tree.add_repositories)(names)

        by_size[size] = compare(directory / f"{kind}{size}", fill, names, tags)
        ours, theirs = by_size[size]
        for what, mine in ours.items():
            figures[f"{size} {kind}: {what}"] = row(mine, theirs[what])
    small, large = by_size[sizes[0]], by_size[sizes[-1]]
    for where in ("first", "middle", "last"):
        what = f"{where} page, ms"
        grown = [many[what] / few[what] for few, many in zip(small, large, strict=True)]
        times = sizes[-1] // sizes[0]
        figures[f"{kind} x {times}: {where} page, times"] = row(*grown)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sizes = SIZES[:-1] if options.quick else SIZES
    directory = Path(tempfile.mkdtemp(prefix="txr-bench-"))
    figures: Figures = {}
    try:
        for tags in (True, False):
            figures |= list_both(directory, sizes, tags)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    show(figures, options.json)


if __name__ == "__main__":
    main()
