"""Contracts for blobs that are on their way in from an upstream."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from zope.interface import Attribute, Interface

from txregistry.interfaces.blobs import IBlobWriter
from txregistry.interfaces.files import IStoredFile
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest


@attrs.frozen
class FillCheckpoint:
    """What is known for certain about a partial file.

    :ivar offset: this many bytes are synced.
    :ivar size: of the whole, if the upstream told it.
    :ivar validator: strong entity tag of the upstream's representation, if any.
    """

    offset: int
    size: int | None
    validator: str | None


class IPartialBlob(IBlobWriter):
    """The growing file of a fill and the state beside it.

    ``size`` is how far a reader can see; ``commit`` puts the content at its place
    in the store, linked by nobody yet.
    """

    resumed: FillCheckpoint | None = Attribute("What an earlier process left.")

    def verify(provisional: Descriptor) -> Deferred[None]:
        """Wait until all that came can be read, and fire if it is what was meant.

        Nothing of it need be durable. Fails with ``DigestInvalid`` or ``SizeInvalid``.
        """

    def checkpoint(state: FillCheckpoint) -> Deferred[None]:
        """Sync the data, then replace the state beside it."""

    def reader() -> Deferred[IStoredFile]:
        """Fire with a reader of the growing file; stays valid after ``commit``."""


@attrs.frozen
class PartialSize:
    """A part of a blob on the disk.

    :ivar size: bytes of the whole, if they are known; else those that are there.
    :ivar modified_at: seconds since the epoch.
    """

    digest: Digest
    size: int
    modified_at: float


class IPartialBlobs(Interface):
    """Where partial blobs live, by digest: one place for all processes."""

    def has(digest: Digest) -> Deferred[bool]:
        """Fire with whether an earlier process or fill has left something."""

    def open(digest: Digest) -> Deferred[IPartialBlob]:
        """Fire with the partial of a digest, resumed or new.

        What was checkpointed is hashed again before it is trusted.
        """

    def found() -> Deferred[list[PartialSize]]:
        """Fire with those that nobody has open, the oldest first."""

    def discard(digest: Digest) -> Deferred[bool]:
        """Delete one unless somebody has it open; fire with whether it was there."""

    def purge(before: float) -> Deferred[None]:
        """Delete partials that nobody has open and nobody wrote to since a time."""


class IBoundedProducer(IPushProducer):
    """A producer that can be had to produce smaller pieces."""

    def read_at_most(size: int) -> None:
        """Produce at most so many bytes at once from now on, as far as possible."""


class IDownloadClaims(Interface):
    """Lets one of several nodes download a blob, while the others wait for it.

    A node that dies, or cannot ask, holds nobody back for long: then two download.
    """

    def acquire(digest: Digest) -> Deferred[bool]:
        """Wait for the downloads of other nodes; never fails.

        :return: fires with true if this node may download. It fires with false if
            another node has ended meanwhile: whoever asked looks again.
        """

    def hold(digest: Digest) -> None:
        """Keep what was acquired until it is released: the download has begun."""

    def release(digest: Digest) -> None:
        """Let others look: the download has ended, and what it got is stored."""
