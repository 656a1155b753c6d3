"""A file that is made only when more than a little is written.

Most pushed blobs are small and come whole in one request. They are held in memory until
they can be stored under their name, which makes one file instead of two.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import cast

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IProducer, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.waiters import Waiters
from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.files import IFileWriter
from txregistry.speed.failures import failed

#: Bytes held in memory; more goes to a file.
HELD_BYTES = 64 * 1024


@implementer(IFileWriter)
@attrs.define(eq=False)
class SpooledFile:
    """Holds bytes in memory until they are too many, or have to be durable.

    :param open_file: makes the file, empty; fails with ``DriverError``.
    """

    _open_file: Callable[[], Deferred[IFileWriter]]
    _held: list[bytes] = attrs.field(factory=list)
    _held_bytes: int = 0
    _file: IFileWriter | None = None
    _failure: Failure | None = None
    _making: bool = False
    _waiters: Waiters[None] = attrs.field(factory=Waiters)
    _producer: IProducer | None = None
    _streaming: bool = False

    @property
    def size(self) -> int:
        """Count the bytes written, or held."""
        return self._held_bytes if self._file is None else self._file.size

    @property
    def content(self) -> bytes | None:
        """Give all bytes written, if there is no file."""
        return None if self._making else b"".join(self._held)

    def make(self) -> Deferred[None]:
        """Make the file; fires when it has the held bytes, or fails."""
        if self._file is not None:
            return succeed(None)
        if self._failure is not None:
            return failed(self._failure)
        # Cancelling only stops the wait: the file is made anyway.
        made = self._waiters.wait()
        if not self._making:
            self._begin()
        return made

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Take a producer; a pull producer needs the file to be made."""
        self._producer, self._streaming = producer, streaming
        if self._file is not None:
            self._file.registerProducer(producer, streaming)
        elif self._failure is not None:
            producer.stopProducing()
        elif not (streaming or self._making):
            self._begin()

    def unregisterProducer(self) -> None:
        """Let the producer go."""
        self._producer = None
        if self._file is not None:
            self._file.unregisterProducer()

    def write(self, data: bytes) -> None:
        """Take in bytes; after a failure they are dropped."""
        if self._file is not None:
            self._file.write(data)
        elif self._failure is None:
            self._held.append(data)
            self._held_bytes += len(data)
            if self._held_bytes > HELD_BYTES and not self._making:
                self._begin()

    @deferred
    async def flush(self, durable: bool = False) -> None:
        """Wait for the bytes written so far; held bytes are made durable in a file."""
        if durable or self._making:
            await self.make()
        if self._file is not None:
            await self._file.flush(durable=durable)

    @deferred
    async def commit(self) -> None:
        """Make the file, if there is none, flush durably and close."""
        await self.make()
        await cast(IFileWriter, self._file).commit()

    @deferred
    async def close(self) -> None:
        """Close the file, if there is one; it stays."""
        if self._making:
            await self.make()
        if self._file is not None:
            await self._file.close()

    @deferred
    async def cancel(self) -> None:
        """Close and delete the file, if there is one."""
        if self._making:
            with suppress(DriverError):
                await self.make()
        self._held.clear()
        if self._file is not None:
            await self._file.cancel()

    def _begin(self) -> None:
        self._making = True
        if self._streaming and self._producer is not None:
            cast(IPushProducer, self._producer).pauseProducing()
        self._open_file().addCallbacks(self._made, self._not_made)

    def _made(self, file: IFileWriter) -> None:
        for data in self._held:
            file.write(data)
        self._held.clear()
        self._file, producer = file, self._producer
        if producer is not None:
            file.registerProducer(producer, self._streaming)
        if self._streaming and producer is not None:
            cast(IPushProducer, producer).resumeProducing()
        self._waiters.fire(None)

    def _not_made(self, failure: Failure) -> None:
        self._failure = failure
        self._held.clear()
        if self._producer is not None:
            self._producer.stopProducing()
        self._waiters.fire(failure)
