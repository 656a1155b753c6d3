"""Notes what changes about repositories, whoever changes it, at the driver."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from txregistry.flow.changes import ChangeTimes
from txregistry.flow.wrapper import Wrapper
from txregistry.interfaces.driver import Change, IStorageDriver, MoveFile, PutFile
from txregistry.storage.tree.layout import BLOBS, REPOSITORIES, ROOT, UPLOADS

T = TypeVar("T")


class ChangesDriver(Wrapper):
    """A driver whose changes are noted, each when it is made or has failed.

    The subject of a change is the name of a repository, or empty for all. New content
    is no change, nor are uploads: no client can have it before something links it.
    """

    def __init__(self, driver: IStorageDriver, changes: ChangeTimes) -> None:
        super().__init__(driver)
        self._changes = changes

    def put(self, path: str, content: bytes, durable: bool = True) -> Deferred[None]:
        """Replace a small file; see :class:`IStorageDriver`."""
        made = self.wrapped.put(path=path, content=content, durable=durable)
        return self._noted(made, written(path))

    def apply(self, changes: Sequence[Change]) -> Deferred[None]:
        """Make several changes; see :class:`IStorageDriver`."""
        subjects = {subject for change in changes for subject in _subjects(change)}
        return self._noted(self.wrapped.apply(changes=changes), *subjects)

    def move(self, source: str, destination: str) -> Deferred[None]:
        """Move a file; see :class:`IStorageDriver`."""
        subjects = _subjects(MoveFile(source, destination))
        made = self.wrapped.move(source=source, destination=destination)
        return self._noted(made, *subjects)

    def delete(self, path: str, durable: bool = True) -> Deferred[None]:
        """Delete a file or directory; see :class:`IStorageDriver`."""
        made = self.wrapped.delete(path=path, durable=durable)
        return self._noted(made, removed(path))

    def _noted(self, made: Deferred[T], *subjects: str | None) -> Deferred[T]:
        concerned = [subject for subject in subjects if subject is not None]
        return made.addBoth(self._note, concerned) if concerned else made

    def _note(self, result: Any, subjects: Sequence[str]) -> Any:
        for subject in subjects:
            self._changes.note(subject)
        return result


def written(path: str) -> str | None:
    """Give the subject of a file that is written; ``None`` if there is none (pure)."""
    return None if path.startswith(f"{BLOBS}/") else removed(path)


def removed(path: str) -> str | None:
    """Give the subject of what is removed; ``None`` if there is none (pure)."""
    if not f"{path}/".startswith(f"{ROOT}/"):
        return "" if ROOT.startswith(f"{path.rstrip('/')}/") else None
    inside = path.removeprefix(f"{REPOSITORIES}/")
    name, is_in_repository, rest = inside.partition("/_")
    if inside == path or not is_in_repository:
        return ""
    return None if f"_{rest}/".startswith(f"{UPLOADS}/") else name


def _subjects(change: Change) -> Iterator[str | None]:
    """Give the subjects of one step of ``apply``."""
    if isinstance(change, MoveFile):
        yield removed(change.source)
        yield written(change.destination)
    elif isinstance(change, PutFile):
        yield written(change.path)
    else:
        yield removed(change.path)
