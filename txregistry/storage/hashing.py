"""Hash what is stored already, without holding it in memory."""

from __future__ import annotations

import attrs
from twisted.internet.interfaces import IConsumer, IProducer
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.interfaces.driver import IStorageDriver
from txregistry.spec.digest import IncrementalHash


@implementer(IConsumer)
@attrs.define(eq=False)
class HashConsumer:
    """Gives every byte to a hash; never pauses its producer."""

    _hasher: IncrementalHash

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Take a push producer."""

    def unregisterProducer(self) -> None:
        """Let it go."""

    def write(self, data: bytes) -> None:
        """Hash a chunk."""
        self._hasher.update(data)


@deferred
async def hash_file(
    driver: IStorageDriver, path: str, size: int, hasher: IncrementalHash
) -> None:
    """Give the first ``size`` bytes of a file to a hash.

    :return: fails with ``ShortRead`` if the file is shorter, or a ``DriverError``.
    """
    file = await driver.reader(path)
    try:
        await file.read(consumer=HashConsumer(hasher), offset=0, size=size)
    finally:
        file.close()
