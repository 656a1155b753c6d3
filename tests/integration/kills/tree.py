"""Look at the files of a registry: nothing may be half written."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

_DIGEST = r"(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})"
_BLOB = re.compile(r"blobs/(sha256|sha384|sha512)/([0-9a-f]{2})/(\2[0-9a-f]+)/data")
_LINK = re.compile(
    r"repositories/.+/(?:_layers"
    r"|_manifests/revisions"
    r"|_manifests/tags/[^/]+/index)/(sha\d+)/([0-9a-f]+)/link"
)
_CURRENT = re.compile(r"repositories/.+/_manifests/tags/[^/]+/current/link")
_UPLOAD = re.compile(
    r"repositories/.+/_uploads/[^/]+/(data|startedat|hashstates/sha\d+/\d+)"
)
_STARTED = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

V2 = Path("docker", "registry", "v2")


def problems(root: Path) -> list[str]:
    """Tell what is wrong with the files below a storage directory."""
    found = []
    for path in _files(root / V2):
        name = path.relative_to(root / V2).as_posix()
        wrong = _problem(name, path)
        if wrong:
            found.append(f"{name}: {wrong}")
    return found


def stored(root: Path) -> set[str]:
    """Give the digests of all contents."""
    found = set()
    for path in _files(root / V2 / "blobs"):
        if path.name == "data":
            found.add(f"{path.parts[-4]}:{path.parts[-2]}")
    return found


def names(root: Path) -> set[str]:
    """Give the paths of all contents and links."""
    return {path.as_posix() for path in _files(root / V2)}


def _files(directory: Path) -> Iterator[Path]:
    for path in sorted(directory.rglob("*")):
        if path.is_file() and not path.name.endswith(".tmp"):
            yield path


def _problem(name: str, path: Path) -> str:
    content = path.read_bytes()
    if blob := _BLOB.fullmatch(name):
        digest = hashlib.new(blob[1], content).hexdigest()
        return "" if digest == blob[3] else f"its content is {digest}"
    if link := _LINK.fullmatch(name):
        # An alias holds the digest that the content is stored under.
        own = "_layers" not in name or link[1] == "sha256"
        wanted = re.escape(f"{link[1]}:{link[2]}") if own else _DIGEST
        return _unless(re.fullmatch(wanted.encode(), content), content)
    if _CURRENT.fullmatch(name):
        return _unless(re.fullmatch(_DIGEST.encode(), content), content)
    if upload := _UPLOAD.fullmatch(name):
        good = upload[1] != "startedat" or _STARTED.fullmatch(content)
        return _unless(good, content)
    return "has no business here"


def _unless(good: object, content: bytes) -> str:
    return "" if good else f"it holds {content[:80]!r}"
