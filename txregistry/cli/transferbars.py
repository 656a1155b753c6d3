"""A bar for each part that is carried, if there is a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from txregistry.cli.blobbars import BlobBars
from txregistry.ocilayout.layout import ByteSource
from txregistry.spec.digest import Digest


class ShownSource:
    """A source that shows how far it has come."""

    def __init__(self, source: ByteSource, came: Callable[[int], None]) -> None:
        self._source, self._came = source, came

    def read(self, size: int = -1, /) -> bytes:
        """Return up to so many bytes; none at the end."""
        data = self._source.read(size)
        self._came(len(data))
        return data


class TransferBars(BlobBars):
    """Shows one bar at a time."""

    @contextmanager
    def shown(
        self, image: str, digest: Digest, size: int, source: ByteSource
    ) -> Iterator[ByteSource]:
        """Show how far a source is read."""
        progress = self._progress
        if progress is None:
            yield source
            return
        task = progress.add_task(f"{image} {digest.hex[:12]}", total=size)
        try:
            yield ShownSource(source, lambda count: progress.advance(task, count))
        finally:
            progress.remove_task(task)
