"""Files that are reloaded when they change."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Generic, TypeVar

import attrs
from twisted.logger import Logger

T = TypeVar("T")

#: Modification time in nanoseconds, size and inode of each file.
Stamps = tuple[tuple[int, int, int], ...]


def file_stamps(*paths: str) -> Stamps:
    """Return values that differ once a file was changed or replaced.

    :raise OSError: a file cannot be examined.
    """
    found = [os.stat(path) for path in paths]
    return tuple((item.st_mtime_ns, item.st_size, item.st_ino) for item in found)


@attrs.define(eq=False)
class WatchedFile(Generic[T]):
    """The parsed content of a small file, reloaded after the file has changed.

    :param parse: raises ``ValueError`` for invalid content; the previous value then
        stays in effect, and an error is logged.
    :param salvage: parses all content after the first instead of ``parse``: it takes
        what is valid, so that entries removed from the file do not stay in effect.
    """

    path: str
    _parse: Callable[[bytes], T]
    _salvage: Callable[[bytes], T] | None = None
    _stamps: Stamps | None = None
    _current: list[T] = attrs.field(factory=list)
    _log = Logger()

    def read(self) -> T:
        """Return the parsed content; the file is examined each time.

        :raise OSError: the file cannot be read.
        :raise ValueError: its content is invalid and was never valid.
        """
        stamps = file_stamps(self.path)
        if stamps != self._stamps:
            self._reload()
            self._stamps = stamps
        return self._current[0]

    def _reload(self) -> None:
        with open(self.path, "rb") as file:
            content = file.read()
        parse = (self._current and self._salvage) or self._parse
        try:
            self._current = [parse(content)]
        except ValueError as error:
            if not self._current:
                raise ValueError(f"{self.path}: {error}") from error
            self._log.error(
                "{path} has changed but cannot be used: {error}; its previous content"
                " stays in effect until it is corrected",
                path=self.path,
                error=str(error),
            )
