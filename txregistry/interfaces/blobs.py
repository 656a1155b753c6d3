"""Contracts for blobs."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer
from zope.interface import Attribute, Interface

from txregistry.interfaces.driver import FileRequest
from txregistry.interfaces.files import IFileReader
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobUnknown
from txregistry.spec.reference import RepositoryName


@attrs.frozen
class BlobMount:
    """A wish to link content that is stored already instead of sending it.

    :ivar source: a repository that must hold it; ``None`` for wherever it is, which
        only a caller that has checked access may say.
    """

    digest: Digest
    source: RepositoryName | None = None


class IBlobStatter(Interface):
    """Tells whether a blob is there, and its size."""

    def stat(digest: Digest) -> Deferred[Descriptor]:
        """Fire with the blob's descriptor, by its canonical digest.

        Fails with ``BlobUnknown``.
        """


class IBlobReader(IFileReader):
    """An open blob; holds a lease on its content until closed."""

    descriptor: Descriptor = Attribute("What is being read.")


class IBlobProvider(Interface):
    """Opens blobs."""

    def open(digest: Digest) -> Deferred[IBlobReader]:
        """Fire with an open blob, to be closed by the caller.

        Fails with ``BlobUnknown``.
        """


class IBlobService(IBlobStatter, IBlobProvider):
    """What any repository, local or remote, can do with blobs."""


@attrs.frozen
class BlobLocation:
    """Where clients read a blob themselves.

    :ivar url: serves ranges as well; may be good for a limited time, for one method and
        for one client.
    """

    descriptor: Descriptor
    url: str


class IBlobFetcher(Interface):
    """Blobs that can be stored before somebody wants them."""

    def fetch(digest: Digest) -> Deferred[Descriptor]:
        """Have a blob stored here and linked; fires with its descriptor then.

        It counts as a use. No client waits for it: downloads for clients go before it.
        Fails with ``BlobUnknown``, or as the upstream does; what has come by then is
        kept, and the next call resumes it. So it is after cancelling.
        """


class IBlobLocator(Interface):
    """Optional: knows URLs by which clients read blobs themselves."""

    def locate(digest: Digest, request: FileRequest) -> Deferred[BlobLocation | None]:
        """Fire with where a client reads a blob that is there, and verified.

        :return: fires with ``None`` for what has to be opened. Fails as ``open`` does
            where it is known that this would fail.
        """


class IBlobResumer(Interface):
    """Optional: opens the rest of a blob whose beginning is at hand."""

    def open_from(
        digest: Digest, offset: int, validator: str | None
    ) -> Deferred[IBlobReader]:
        """Fire with a reader that has a body beginning at ``offset`` in hand.

        :param validator: a strong entity tag under which the beginning was read;
            content that has changed since is given from 0.
        """


class IRemoteBlobReader(IBlobReader):
    """An open blob of an upstream, its response headers read and its body waiting."""

    start: int = Attribute("Offset of the first byte of the body in hand.")
    validator: str | None = Attribute("Strong entity tag, if any.")


class IBlobWriter(IConsumer):
    """Content being taken in and hashed; a consumer that pauses its producer."""

    upload_id: str = Attribute("Names the upload within its repository.")
    size: int = Attribute("Bytes that are written.")
    started_at: float = Attribute("Seconds since the epoch.")

    def flush(durable: bool = False) -> Deferred[None]:
        """Wait until all bytes are written (``durable``: and synced)."""

    def commit(provisional: Descriptor) -> Deferred[Descriptor]:
        """Verify and make it a blob of the repository.

        :return: fires with the canonical descriptor. Fails with ``DigestInvalid``
            or ``SizeInvalid``; the upload can then only be cancelled.
        """

    def cancel() -> Deferred[None]:
        """Throw the upload away; further calls do nothing."""

    def close() -> Deferred[None]:
        """Keep what is there for a later ``resume``."""


@attrs.frozen
class UploadStatus:
    """Where an upload stands.

    :ivar size: bytes that are there.
    :ivar started_at: seconds since the epoch.
    """

    upload_id: str
    size: int
    started_at: float


class IBlobIngester(Interface):
    """Optional: takes blobs in."""

    def create(
        mount: BlobMount | None = None, algorithm: str | None = None
    ) -> Deferred[IBlobWriter | Descriptor]:
        """Begin an upload, or link what is stored already.

        :param algorithm: the digest that will be asked for, where it is known, is
            then computed as bytes come.
        :return: fires with a descriptor if mounted, else with a writer.
        """

    def begin(algorithm: str | None = None) -> Deferred[UploadStatus]:
        """Begin an upload to go on with later, as by ``create`` and ``close``."""

    def status(upload_id: str, begun_at: float | None = None) -> Deferred[UploadStatus]:
        """Fire with where an upload stands; fails with ``BlobUploadUnknown``.

        :param begun_at: when it was begun, from a client that can prove that, and that
            nothing has come since; seconds since the epoch.
        """

    def resume(
        upload_id: str,
        check: Callable[[UploadStatus], None],
        begun_at: float | None = None,
    ) -> Deferred[IBlobWriter]:
        """Go on with an upload; fails with ``BlobUploadUnknown``.

        One writer at a time: another one that is at work is stopped first, its
        producer as well, and what it wrote is kept.

        :param check: is told where the upload stands, and raises what is wrong with
            that; nobody is stopped for what is refused.
        :param begun_at: as in ``status``.
        """


class IBlobDeleter(Interface):
    """Optional: takes blobs out of a repository."""

    def delete(digest: Digest) -> Deferred[None]:
        """Unlink a blob from this repository only; its data stays.

        Fails with ``BlobUnknown``.
        """

    def delete_dangling(digest: Digest) -> Deferred[bool]:
        """Unlink a blob if its data is not there; fires with whether it was so."""


class IBlobDescriptorService(IBlobStatter):
    """Remembers descriptors."""

    def set_descriptor(digest: Digest, descriptor: Descriptor) -> Deferred[None]:
        """Remember what a digest (perhaps an alias) stands for."""

    def clear(digest: Digest) -> Deferred[None]:
        """Forget a digest; one that is not known is no error."""


class CacheAway(BlobUnknown):
    """Nothing is known of a blob, as what remembers cannot be asked now."""


class IDescriptorCache(Interface):
    """Remembers the descriptors of many repositories."""

    is_shared: bool = Attribute(
        "Whether others write to it as well, so that it cannot say who may see what."
    )
    owes: int = Attribute(
        "How many deletions others have not been told of, as the cache is away."
    )

    def repository(name: RepositoryName) -> IBlobDescriptorService:
        """Give what remembers for one repository.

        Its ``stat`` fails with ``CacheAway`` if it cannot be asked.
        """

    def forget(digest: Digest) -> Deferred[None]:
        """Forget a digest in all repositories, as its content is to be deleted."""


class IContent(IBlobStatter):
    """The content of all repositories, without regard to who may see it."""

    def verify(digest: Digest) -> Deferred[bool]:
        """Fire with whether the content that lies there has its digest.

        Reads all of it, unless it is known.
        """

    def purge_damaged(before: float) -> Deferred[None]:
        """Delete damaged content that was set aside before a time.

        What a repository holds that no upstream has stays, and everything as long as it
        is not known who links what. Fails as a ledger does.

        :param before: seconds since the epoch.
        """

    def collect(digest: Digest) -> Deferred[bool]:
        """Delete content that no repository links and nobody reads.

        Descriptor caches are cleared first. None is deleted while it is not known who
        links what: a cache finds that out by a scan of the tree.

        :return: fires with whether it was deleted.
        """


class ILinkIndex(Interface):
    """Knows which repositories link some content."""

    def holders(digest: Digest) -> Deferred[frozenset[RepositoryName]]:
        """Fire with the repositories that hold the content as blob or manifest."""


class ILeases(Interface):
    """Knows what is being read."""

    def held(digest: Digest) -> bool:
        """Tell whether somebody is reading the content now."""
