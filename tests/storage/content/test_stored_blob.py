"""Open content."""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.interfaces.blobs import IBlobReader
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.storage.content.stored_blob import StoredBlob


class File:
    """A file of three bytes, which may be lost."""

    size = 3
    error: Exception | None = None

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def read(self, consumer: Any, offset: int, size: int | None) -> Deferred[None]:
        self.asked.append((consumer, offset, size))
        return succeed(None) if self.error is None else fail(self.error)

    def close(self) -> None:
        self.asked.append("close")


class StoredBlobTests(SynchronousTestCase):
    """A file under a lease."""

    def setUp(self) -> None:
        self.file: Any = File()
        self.told: list[str] = []
        self.blob = StoredBlob(
            Descriptor(Digest.of(b"abc"), 3),
            self.file,
            lambda: self.told.append("released"),
            lambda: self.told.append("lost"),
        )

    def test_read(self) -> None:
        """It is that of the file, and closing it ends the lease."""
        verifyObject(IBlobReader, self.blob)
        self.assertEqual(self.blob.size, 3)
        consumer: Any = object()
        self.successResultOf(self.blob.read(consumer, 1, 2))
        self.blob.close()
        self.assertEqual(self.file.asked, [(consumer, 1, 2), "close"])
        self.assertEqual(self.told, ["released"])

    def test_lost(self) -> None:
        """What the disk does not give is reported; another failure is no damage."""
        for error, told in (
            (OSError(errno.EIO, "Input/output error"), ["lost"]),
            (OSError(errno.EMFILE, "Too many open files"), []),
            (ConnectionError("the client has gone"), []),
        ):
            self.told.clear()
            self.file.error = error
            consumer: Any = object()
            failure = self.failureResultOf(self.blob.read(consumer))
            self.assertIs(failure.value, error)
            self.assertEqual(self.told, told, error)
