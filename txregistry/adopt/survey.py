"""What lies in the storage directory of an old registry.

Reads the tree as it is on the disk, as an owner or a mode is nothing that a storage
driver knows of. Nothing is changed. What a directory holds is forgotten when the next
one is read, so that the size of a store does not matter.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import attrs

from txregistry.adopt.access import Who
from txregistry.adopt.counts import Survey
from txregistry.spec.digest import Digest
from txregistry.spec.errors import DigestInvalid
from txregistry.storage.tree import layout, shape

#: Largest manifest; larger content is none.
_MAX_MANIFEST = 4 * 1024 * 1024

#: Largest ``scheduler-state.json``: of some millions of entries.
_MAX_STATE = 1024 * 1024 * 1024

_MIB = 1024 * 1024

_REVISION = re.compile(r"/_manifests/revisions/([a-z0-9]+)/([0-9a-f]+)/link$")
_LAYER = re.compile(r"/_layers/([a-z0-9]+)/([0-9a-f]+)/link$")
_BLOB = re.compile(rf"{layout.BLOBS}/([a-z0-9]+)/([^/]{{1,2}})/([^/]+)/data")
_UPLOAD = re.compile(rf"{layout.REPOSITORIES}/.+/_uploads/[^/]+")
_ANCESTORS = frozenset(("", "/docker", "/docker/registry", layout.ROOT))

#: Called with how many files and directories were looked at.
Tell = Callable[[int], None]


def survey(
    root: str, who: Who, verify: int, random: Random, tell: Tell = lambda _: None
) -> Survey:
    """Look at everything below a storage directory.

    :param who: the user that the registry runs as.
    :param verify: so many blobs, taken at random, are hashed.
    """
    return _Surveyor(Path(root), who, verify, random, tell).run()


@attrs.define
class _Surveyor:
    _root: Path
    _who: Who
    _verify: int
    _random: Random
    _tell: Tell
    _found: Survey = attrs.field(init=False)
    _sample: list[tuple[Digest, str]] = attrs.field(factory=list, init=False)
    _seen: int = attrs.field(default=0, init=False)

    def run(self) -> Survey:
        self._found = Survey(str(self._root))
        try:
            self._found.free_bytes = _free(self._root)
            top = os.stat(self._root)
        except OSError:
            self._found.odd("missing", str(self._root))
            return self._found
        self._look_at_access("/", top)
        waiting = [""]
        while waiting:
            waiting += self._directory(waiting.pop())
        self._read_state()
        self._hash_sample()
        return self._found

    def _directory(self, path: str) -> Iterator[str]:
        """Look at what a directory holds; give the directories to look at next."""
        entries = self._entries(path)
        names = {entry.name for entry in entries}
        if path.startswith(f"{layout.REPOSITORIES}/"):
            self._found.repositories += bool({layout.LAYERS, layout.MANIFESTS} & names)
        if _UPLOAD.fullmatch(path):
            self._upload(path, names)
        for entry in entries:
            below = f"{path}/{entry.name}"
            if self._entry(below, entry):
                yield below

    def _entries(self, path: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(f"{self._root}{path}") as entries:
                return list(entries)
        except OSError:
            self._found.odd("unreadable", path or "/")
            return []

    def _entry(self, path: str, entry: os.DirEntry[str]) -> bool:
        """Look at one entry; tell if it is a directory to go into."""
        self._seen += 1
        if self._seen % 1000 == 0:
            self._tell(self._seen)
        if path in (layout.OWN, layout.SCHEDULER_STATE):
            return False
        if not _is_expected(path):
            self._found.odd("foreign" if _is_foreign(path) else "misnamed", path)
            return False
        try:
            found = entry.stat(follow_symlinks=False)
        except OSError:
            self._found.odd("unreadable", path)
            return False
        is_directory = stat.S_ISDIR(found.st_mode)
        if not is_directory and not stat.S_ISREG(found.st_mode):
            self._found.odd("special", path)  # opening a pipe would wait for a writer
            return False
        self._look_at_access(path, found)
        if not is_directory:
            self._file(path, found)
        return is_directory

    def _look_at_access(self, path: str, found: os.stat_result) -> None:
        if not self._who.may_use(found):
            self._found.odd("closed", path)
        elif self._who.uid not in (0, found.st_uid):
            self._found.odd("owner", path)

    def _file(self, path: str, found: os.stat_result) -> None:
        """Count a file by what it is."""
        if _BLOB.fullmatch(path):
            self._blob(path, found.st_size)
        elif match := _REVISION.search(path):
            self._revision(path, match)
        elif match := _LAYER.search(path):
            self._found.layers += 1
            self._size_of(path, match, "collected")
        elif path.endswith("/current/link"):
            self._tag(path)
        elif "/_uploads/" in path and path.endswith("/data"):
            self._found.upload_bytes += found.st_size

    def _blob(self, path: str, size: int) -> None:
        match = _BLOB.fullmatch(path)
        digest = match and match[3][:2] == match[2] and _digest(match[1], match[3])
        if not digest:
            self._found.odd("misnamed", path)
            return
        self._found.blobs += 1
        self._found.bytes += size
        self._draw(digest, path)

    def _draw(self, digest: Digest, path: str) -> None:
        """Keep each blob in the sample with the same chance."""
        if len(self._sample) < self._verify:
            self._sample.append((digest, path))
        elif self._verify:
            place = self._random.randrange(self._found.blobs)
            if place < self._verify:
                self._sample[place] = digest, path

    def _revision(self, path: str, match: re.Match[str]) -> None:
        self._found.manifests += 1
        size = self._size_of(path, match, "dangling")
        if size is None or size > _MAX_MANIFEST:
            return
        content = self._read(layout.blob_data(Digest(match[1], match[2])))
        self._found.schema1 += content is not None and _is_schema1(content)

    def _size_of(self, path: str, match: re.Match[str], missing: str) -> int | None:
        """Give the size of what a link leads to, if it leads anywhere."""
        digest = _digest(match[1], match[2])
        if digest is None:
            self._found.odd("misnamed", path)
            return None
        try:
            return os.stat(f"{self._root}{layout.blob_data(digest)}").st_size
        except OSError:
            self._found.odd(missing, path)
            return None

    def _tag(self, path: str) -> None:
        content = self._read(path)
        if content is None:
            return
        try:
            Digest.parse(content.decode("ascii", "replace"))
        except DigestInvalid:
            self._found.odd("broken", path)
            return
        self._found.tags += 1

    def _upload(self, path: str, names: set[str]) -> None:
        self._found.uploads += 1
        if "startedat" not in names:
            self._found.odd("upload", path)

    def _read(self, path: str, limit: int = _MAX_MANIFEST) -> bytes | None:
        try:
            with open(f"{self._root}{path}", "rb") as file:
                return file.read(limit)
        except OSError:
            self._found.odd("unreadable", path)
            return None

    def _read_state(self) -> None:
        path = f"{self._root}{layout.SCHEDULER_STATE}"
        self._found.has_state = os.path.exists(path)
        if not self._found.has_state:
            return
        content = self._read(layout.SCHEDULER_STATE, _MAX_STATE)
        if content is None:
            return
        try:
            self._found.scheduled = len(json.loads(content) or {})
        except (ValueError, TypeError, RecursionError):
            self._found.odd("state", layout.SCHEDULER_STATE)

    def _hash_sample(self) -> None:
        for digest, path in self._sample:
            try:
                is_good = _has_digest(f"{self._root}{path}", digest)
            except OSError:
                self._found.odd("unreadable", path)
                continue
            self._found.verified += 1
            if not is_good:
                self._found.odd("damaged", path)


def _is_expected(path: str) -> bool:
    """Tell if a path can be part of the tree, uploads included."""
    if path in _ANCESTORS or "/_uploads/" in path:
        return True
    return shape.is_ours(path) or _BLOB.fullmatch(path) is not None


def _is_foreign(path: str) -> bool:
    """Tell if a path is of file systems or people, not a part that is misnamed."""
    return not path.startswith((f"{layout.BLOBS}/", f"{layout.REPOSITORIES}/")) or bool(
        re.search(r"/(?:lost\+found|[.@#~][^/]*)$", path)
    )


def _digest(algorithm: str, digits: str) -> Digest | None:
    try:
        return Digest.parse(f"{algorithm}:{digits}")
    except DigestInvalid:
        return None


def _is_schema1(content: bytes) -> bool:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and document.get("schemaVersion") == 1


def _has_digest(path: str, digest: Digest) -> bool:
    hasher = digest.hasher()
    with open(path, "rb") as file:
        while content := file.read(_MIB):
            hasher.update(content)
    return digest.matches(hasher)


def _free(root: Path) -> int:
    found = os.statvfs(root)
    return found.f_bavail * found.f_frsize
