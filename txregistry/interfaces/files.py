"""Contracts for bytes: where they are read from and written to."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer
from zope.interface import Attribute, Interface

from txregistry.spec.digest import IncrementalHash


class IFileReader(Interface):
    """Bytes that can be read from any offset, by any number of reads at once."""

    size: int = Attribute("Bytes there were when it was opened.")

    def read(
        consumer: IConsumer, offset: int = 0, size: int | None = None
    ) -> Deferred[None]:
        """Push bytes into a consumer, honouring its pauses.

        :param offset: where to begin; from the end on, nothing is written.
        :param size: how many bytes; ``None`` reads to the end as of opening.
            More than there are fails with ``ShortRead`` after what there is.
        :return: fires when the last byte was written. Fails with
            ``ConsumerStopped`` if the consumer stops its producer. Cancelling stops.
        """

    def close() -> None:
        """Give up what is held open; further calls do nothing."""


class IStoredFile(IFileReader):
    """An open file of a storage driver."""

    identity: str = Attribute(
        "What :class:`FileStat` said of it when it was opened; see there."
    )

    def hash(hasher: IncrementalHash, size: int) -> Deferred[None]:
        """Give the first bytes to a hash, on another thread where there is one.

        :return: fires when the hash has them. Fails with ``ShortRead`` if there are
            fewer. Cancelling stops; the hash is then of no use.
        """


class IUncachedFile(Interface):
    """An open file that is read from the storage medium; see :class:`IUncached`."""

    size: int = Attribute("Bytes there were when it was opened.")
    identity: str = Attribute("As of :class:`IStoredFile`.")

    def hash(hasher: IncrementalHash, offset: int, size: int) -> Deferred[int]:
        """Feed a part of the file to a hash, on another thread.

        :param offset: a multiple of 1 MiB.
        :param size: bytes; from the offset on, at most 1 MiB.
        :return: fires with how many bytes there were. Fails with a ``DriverError`` if
            the medium cannot be read. Cancelling stops the wait, and leaves the hash
            unusable.
        """

    def close() -> None:
        """Close it; further calls do nothing."""


class IFileWriter(IConsumer):
    """A file being written, at its path from the start.

    So it is for private paths, from where a finished file is moved. As a consumer
    it pauses its producer while the disk is behind, and stops it when a write fails.
    """

    size: int = Attribute("Bytes that a reader of the same path can see.")

    def flush(durable: bool = False) -> Deferred[None]:
        """Wait until every byte written so far can be read.

        :param durable: also until a power failure cannot take it back.
        :return: fires then; fails as the first write that failed, and every later
            call does as well.
        """

    def commit() -> Deferred[None]:
        """Flush durably and close; the file is there, whole, for good."""

    def cancel() -> Deferred[None]:
        """Close and delete the file; further calls do nothing."""

    def close() -> Deferred[None]:
        """Flush and close but keep the file, to be appended to later."""
