"""Notes what changes about repositories, whoever changes it, at the driver."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred

from txregistry.flow.changes import CONTENT, ChangeTimes
from txregistry.flow.wrapper import Wrapper
from txregistry.interfaces.driver import Change, IStorageDriver, MoveFile, PutFile
from txregistry.storage.tree.layout import BLOBS, REPOSITORIES, ROOT, UPLOADS

T = TypeVar("T")


class ChangesDriver(Wrapper):
    """A driver whose changes are noted, from before they are made to their end.

    The subject of a change is the name of a repository, :data:`CONTENT`, or empty for
    all. New content is no change, nor are uploads: no client can have it before
    something links it. What is moved away is a change for all: it may be damaged.
    """

    def __init__(self, driver: IStorageDriver, changes: ChangeTimes) -> None:
        super().__init__(driver)
        self._changes = changes

    def put(self, path: str, content: bytes, durable: bool = True) -> Deferred[None]:
        """Replace a small file; see :class:`IStorageDriver`."""
        put = partial(self.wrapped.put, path=path, content=content, durable=durable)
        return self._noted(put, written(path))

    def apply(self, changes: Sequence[Change]) -> Deferred[None]:
        """Make several changes; see :class:`IStorageDriver`."""
        subjects = {subject for change in changes for subject in _subjects(change)}
        return self._noted(partial(self.wrapped.apply, changes=changes), *subjects)

    def move(self, source: str, destination: str) -> Deferred[None]:
        """Move a file; see :class:`IStorageDriver`."""
        move = partial(self.wrapped.move, source=source, destination=destination)
        return self._noted(move, *_subjects(MoveFile(source, destination)))

    def delete(self, path: str, durable: bool = True) -> Deferred[None]:
        """Delete a file or directory; see :class:`IStorageDriver`."""
        delete = partial(self.wrapped.delete, path=path, durable=durable)
        return self._noted(delete, deleted(path))

    def prune(self, path: str, stop: str) -> Deferred[None]:
        """Remove an empty directory; see :class:`IPruner`.

        It follows a delete, and whoever remembers what was there forgets it after that:
        until then the change is not over.
        """
        prune = partial(self.wrapped.prune, path=path, stop=stop)
        return self._noted(prune, deleted(path))

    def _noted(
        self, change: Callable[[], Deferred[T]], *subjects: str | None
    ) -> Deferred[T]:
        concerned = [subject for subject in subjects if subject is not None]
        for subject in concerned:
            self._changes.begin(subject)
        made = maybeDeferred(change)
        return made.addBoth(self._end, concerned) if concerned else made

    def _end(self, result: Any, subjects: Sequence[str]) -> Any:
        for subject in subjects:
            self._changes.end(subject)
        return result


def written(path: str) -> str | None:
    """Give the subject of a file that is written; ``None`` if there is none (pure)."""
    return None if path.startswith(f"{BLOBS}/") else removed(path)


def deleted(path: str) -> str | None:
    """Give the subject of what is deleted; ``None`` if there is none (pure)."""
    return CONTENT if path.startswith(f"{BLOBS}/") else removed(path)


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
        yield deleted(change.path)
