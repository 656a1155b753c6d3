"""What was done, written down before it is done.

A takeover that is killed is ended, or taken back, by what its journal says: the steps
as they were planned when nothing had been changed yet. It holds passwords and decides
what root writes, so it lies in a directory of its own, which only root may enter: that
of the service belongs to the service.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs

from txregistry.adopt.steps import Step, from_json, to_json

JOURNAL = Path("/var/lib/txregistry-adopt/adopt.json")

APPLYING, APPLIED, BACKING = "applying", "applied", "backing"


class JournalBroken(Exception):
    """The journal cannot be used; the message says why."""


@attrs.frozen
class AdoptRecord:
    """A takeover: its steps, and how far it got.

    :ivar since: when it began, in RFC 3339.
    :ivar begun: steps that were begun and not undone; the last may be half done.
    """

    old_unit: str
    since: str
    state: str
    begun: int
    steps: tuple[Step, ...]


@attrs.define
class AdoptJournal:
    """The file that holds a record; without one, nothing was taken over."""

    path: Path = JOURNAL

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others from taking over, or back, at the same time.

        :raise JournalBroken: somebody does.
        """
        self._make_room()
        place = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise JournalBroken("another txregistry adopt is at work") from error
        finally:
            os.close(place)
            self._remove_room()

    def load(self) -> AdoptRecord | None:
        """Read the record, if there is one.

        :raise JournalBroken: it cannot be read.
        """
        try:
            document = json.loads(self.path.read_bytes())
            steps = tuple(map(from_json, document.pop("steps")))
            return AdoptRecord(steps=steps, **document)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise JournalBroken(f"{self.path}: {error}") from error

    def save(self, record: AdoptRecord) -> None:
        """Write the record, durably."""
        self._make_room()
        steps = list(map(to_json, record.steps))
        fields = attrs.asdict(record, recurse=False) | {"steps": steps}
        write_durably(self.path, json.dumps(fields, indent=1).encode(), 0o600)

    def forget(self) -> None:
        """Delete the record."""
        self.path.unlink(missing_ok=True)
        if self.path.parent.exists():
            sync_directory(self.path.parent)
        self._remove_room()

    def _make_room(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _remove_room(self) -> None:
        with suppress(OSError):
            self.path.parent.rmdir()  # not while the journal is in it


def write_durably(
    path: Path, content: bytes, mode: int, owner: tuple[int, int] | None = None
) -> None:
    """Write a file in one step, so that it is whole after a power failure."""
    temporary = path.with_name(f".{path.name}.adopt")
    temporary.unlink(missing_ok=True)
    try:
        with open(temporary, "xb", opener=_private) as file:
            file.write(content)
            if owner is not None:
                os.fchown(file.fileno(), *owner)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(path.parent)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    place = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(place)
    finally:
        os.close(place)
