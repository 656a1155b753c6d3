"""Files that are read again when they change."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Generic, TypeVar

import attrs
from twisted.logger import Logger

T = TypeVar("T")

#: By what it is seen that files have changed.
Stamps = tuple[tuple[int, int, int], ...]


def file_stamps(*paths: str) -> Stamps:
    """Look at files; they are read again when what this gives has changed.

    :raise OSError: one cannot be looked at.
    """
    found = [os.stat(path) for path in paths]
    return tuple((item.st_mtime_ns, item.st_size, item.st_ino) for item in found)


@attrs.define(eq=False)
class WatchedFile(Generic[T]):
    """What a small file says, read again after it has changed.

    :param parse: raises ``ValueError`` for a content that says nothing; what the file
        said before then goes on to hold, and the log says so.
    :param salvage: reads what has changed in place of it, as far as it can be read, so
        that what was taken out of the file does not go on to hold.
    """

    path: str
    _parse: Callable[[bytes], T]
    _salvage: Callable[[bytes], T] | None = None
    _stamps: Stamps | None = None
    _said: list[T] = attrs.field(factory=list)
    _log = Logger()

    def read(self) -> T:
        """Give what the file says.

        :raise OSError: it cannot be read.
        :raise ValueError: it never said anything usable.
        """
        stamps = file_stamps(self.path)
        if stamps != self._stamps:
            self._renew()
            self._stamps = stamps
        return self._said[0]

    def _renew(self) -> None:
        with open(self.path, "rb") as file:
            content = file.read()
        parse = (self._said and self._salvage) or self._parse
        try:
            self._said = [parse(content)]
        except ValueError as error:
            if not self._said:
                raise ValueError(f"{self.path}: {error}") from error
            self._log.error(
                "{path} has changed and cannot be used, what it said before holds:"
                " {error}",
                path=self.path,
                error=str(error),
            )
