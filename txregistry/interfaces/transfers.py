"""Contracts for images that are carried from one registry to another by hand."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer
from zope.interface import Interface

from txregistry.interfaces.blobs import IBlobReader, IBlobWriter
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.imagename import ImageName
from txregistry.spec.manifest.model import Manifest
from txregistry.spec.platforms import WantedPlatform
from txregistry.spec.reference import Tag


class PartKind(Enum):
    """What a part of an image is."""

    MANIFEST = "manifest"
    BLOB = "blob"


@attrs.frozen
class ExportPart:
    """One part of an image.

    :ivar size: in bytes.
    :ivar refers: it is a manifest that refers to another part, such as a signature.
    """

    digest: str
    size: int
    media_type: str
    kind: PartKind
    refers: bool = False


@attrs.frozen
class ExportPlan:
    """All parts of an image that are here, each once.

    :ivar image: its stored name.
    :ivar full_name: its name with the host of its upstream, which is the same for every
        client and cache; empty for a local repository.
    :ivar digest: of the manifest on top; empty if it is not here.
    :ivar confirmed_at: when the upstream last said what the tag stands for, in seconds
        since the epoch; ``None`` if that is not known, or without a tag.
    """

    image: str
    full_name: str
    digest: str = ""
    media_type: str = ""
    size: int = 0
    confirmed_at: float | None = None
    parts: tuple[ExportPart, ...] = ()


class IImageExporter(Interface):
    """Gives what is stored of images; asks no upstream, and counts as no use."""

    def plan(
        image: ImageName, platforms: Sequence[WantedPlatform], is_partial: bool = False
    ) -> Deferred[ExportPlan]:
        """Fire with the parts of an image, with what refers to its manifests.

        Fails with ``ImagesRefused`` if it is not here, or not all of it.

        :param platforms: of an index; none for each of which something is here.
        :param is_partial: what is not here is left out.
        """

    def open(digest: Digest) -> Deferred[IBlobReader]:
        """Fire with an open part, to be closed by the caller.

        Fails with ``ImagesRefused`` if it is not here any more.
        """


class IIncomingBody(Interface):
    """Bytes that somebody sends, and that nobody has read yet."""

    def read(consumer: IConsumer) -> Deferred[None]:
        """Have them sent, and push them into a consumer, honouring its pauses.

        :return: fires when the last byte was written. Fails with ``ConsumerStopped`` if
            the consumer stops its producer, and with ``ShortRead`` if they end early.
            Cancelling stops.
        """


class IImageImporter(Interface):
    """Takes images in that did not come from their upstreams.

    All Deferreds fail with ``ImagesRefused`` if the repository takes nothing, or the
    content is not what it is said to be; or with a ``DriverError``.
    """

    def lacks(
        image: ImageName, blobs: Sequence[Descriptor]
    ) -> Deferred[list[Descriptor]]:
        """Link those blobs that are stored; fire with the others."""

    def take_blob(
        image: ImageName, blob: Descriptor, body: IIncomingBody
    ) -> Deferred[None]:
        """Store and link a blob, which has to match its digest and size."""

    def take_manifest(
        image: ImageName, manifest: Descriptor, body: IIncomingBody
    ) -> Deferred[None]:
        """Store a manifest; what it is made of has to be here, but for manifests."""

    def complete(
        image: ImageName, top: Digest, confirmed_at: float | None
    ) -> Deferred[bool]:
        """Let the tag stand for an image that is here whole, if it names a tag.

        What is here of an index has to be whole, for one platform at least.

        :param top: the manifest; the image may not be named by another digest.
        :param confirmed_at: when an upstream said so, which is what a cached tag counts
            as from now on; one about which an upstream was asked later stays as it is.
            ``None`` if that is not known: it counts as said now.
        :return: fires with whether the tag stands for it.
        """


class IBlobAdopter(Interface):
    """Optional: blobs of a cache that did not come from its upstream."""

    def adopt(descriptor: Descriptor) -> Deferred[None]:
        """Link stored content, and record a use."""

    def commit(writer: IBlobWriter, descriptor: Descriptor) -> Deferred[None]:
        """Make what was written a blob of the repository, and record a use.

        Fails as ``IBlobWriter.commit``.
        """


class IManifestAdopter(Interface):
    """Optional: manifests of a cache that did not come from its upstream."""

    def adopt(manifest: Manifest) -> Deferred[None]:
        """Store a manifest, and record a use; fails with a ``DriverError``."""


class ITagAdopter(Interface):
    """Optional: tags of a cache that its upstream was not asked for."""

    def adopt(tag: Tag, descriptor: Descriptor, confirmed_at: float) -> Deferred[None]:
        """Let a tag stand for a stored manifest, as the upstream has said at a time.

        :param confirmed_at: in seconds since the epoch.
        :return: fails with a ``DriverError``.
        """
