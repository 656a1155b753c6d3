"""A driver in memory whose disk has a size, for tests of one that is full."""

from __future__ import annotations

import errno
import os
from typing import Any

import attrs
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from zope.interface import implementer

from txregistry.interfaces.driver import DiskSpace, DriverError, IDiskSpace
from txregistry.storagedriver.inmemory import MemoryDriver, MemoryWriter


def refusal(path: str, number: int = errno.ENOSPC) -> DriverError:
    """Make the error of a disk."""
    told = DriverError("inmemory", path, os.strerror(number))
    told.__cause__ = OSError(number, os.strerror(number))
    return told


class LimitedWriter(MemoryWriter):
    """Writes until the disk is full."""

    def write(self, data: bytes) -> None:
        if self.failure is None and not self._driver.has_room(len(data)):
            self.failure = refusal(self._path, self._driver.number)
            if self.upstream is not None:
                self.upstream.stopProducing()
        if self.failure is None:
            super().write(data)

    failure: DriverError | None = None
    upstream: Any = None

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self.upstream = producer
        if self.failure is not None:
            producer.stopProducing()
            return
        super().registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        self.upstream = None
        super().unregisterProducer()

    def flush(self, durable: bool = False) -> Deferred[None]:
        return succeed(None) if self.failure is None else fail(self.failure)

    commit = flush


@implementer(IDiskSpace)
class LimitedDriver(MemoryDriver):
    """Holds at most ``room`` bytes, beside ``ballast`` that others write."""

    def __init__(self, clock: Clock, room: int) -> None:
        super().__init__(clock)
        self.room, self.ballast, self.number = room, 0, errno.ENOSPC

    def space(self) -> Deferred[DiskSpace]:
        free = max(0, self.room - self.used - self.ballast)
        return succeed(DiskSpace(self.room, free))

    @property
    def used(self) -> int:
        return sum(len(file.content) for file in self._files.values())

    def has_room(self, size: int) -> bool:
        return self.used + self.ballast + size <= self.room

    def put(self, path: str, content: bytes, durable: bool = True) -> Deferred[None]:
        if not self.has_room(len(content)):
            return fail(refusal(path, self.number))
        return super().put(path, content, durable)

    def writer(self, path: str, *args: Any, **kwargs: Any) -> Deferred[Any]:
        done = super().writer(path, *args, **kwargs)
        return done.addCallback(self._limited)

    def _limited(self, made: MemoryWriter) -> LimitedWriter:
        return LimitedWriter(*attrs.astuple(made, recurse=False)[:4])
