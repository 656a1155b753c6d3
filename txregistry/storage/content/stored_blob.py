"""Open content of a store."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer
from twisted.python.failure import Failure
from zope.interface import implementer

from txregistry.interfaces.blobs import IBlobReader
from txregistry.interfaces.driver import lost_by_disk
from txregistry.interfaces.files import IFileReader
from txregistry.spec.descriptor import Descriptor


@implementer(IBlobReader)
@attrs.define(eq=False)
class StoredBlob:
    """An open blob of the store; closing it ends the lease."""

    descriptor: Descriptor
    _file: IFileReader
    _release: Callable[[], None]
    _lost: Callable[[], None]

    @property
    def size(self) -> int:
        """Count its bytes."""
        return self._file.size

    def read(
        self, consumer: IConsumer, offset: int = 0, size: int | None = None
    ) -> Deferred[None]:
        """Push bytes into a consumer; what the disk does not give is reported."""
        done = self._file.read(consumer=consumer, offset=offset, size=size)
        return done.addErrback(self._broken)

    def _broken(self, failure: Failure) -> Failure:
        if lost_by_disk(failure.value):
            self._lost()
        return failure

    def close(self) -> None:
        """Close the file and give up the lease."""
        self._file.close()
        self._release()
