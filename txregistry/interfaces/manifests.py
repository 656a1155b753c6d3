"""Contracts for manifests."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from zope.interface import Interface

from txregistry.interfaces.tags import Tags
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import Unavailable
from txregistry.spec.manifest.model import Manifest
from txregistry.spec.reference import Tag


class PartlyDeleted(Unavailable):
    """The storage failed when some tags of a manifest were gone, but not all of it.

    Who deletes it again goes on from there.

    :ivar tags: those that are gone.
    """

    def __init__(self, tags: Tags, reason: str) -> None:
        gone = [str(tag) for tag in tags]
        super().__init__({"reason": reason, "deleted tags": gone})
        self.tags = tags


class IManifestService(Interface):
    """The manifests of one repository, by digest."""

    def exists(digest: Digest) -> Deferred[bool]:
        """Fire with whether the manifest is there."""

    def get(digest: Digest) -> Deferred[Manifest]:
        """Fire with a manifest whose bytes match the digest.

        Fails with ``ManifestUnknown``.
        """


class IManifestStore(IManifestService):
    """Manifests that can be put and taken away."""

    def put(manifest: Manifest, tags: Sequence[Tag] = ()) -> Deferred[Descriptor]:
        """Store a manifest, verbatim, and let tags stand for it.

        What it refers to is pinned first, so that a collection under way spares it;
        whether that is there is the caller's to find out, between pin and put.
        """

    def names(digest: Digest) -> Deferred[bool]:
        """Fire with whether a manifest that is there is made of some content.

        Looks at all manifests of the repository.
        """

    def pin(manifest: Manifest) -> Deferred[None]:
        """Spare what a manifest refers to from a collection under way.

        :return: fires when no deletion of any of it is under way any more.
        """

    def mount(digest: Digest) -> Deferred[Manifest]:
        """Link a manifest whose content is stored, for whichever repository.

        Only a caller that has checked access may do this. Fails with
        ``ManifestUnknown`` if the content is not there.
        """

    def delete(digest: Digest) -> Deferred[Tags]:
        """Unlink a manifest from this repository, and the tags that stand for it.

        Its data stays. A cache of descriptors that others believe has to forget it
        first; then the first link to be removed shows whether the storage takes
        changes.

        :return: fires with the tags that are gone. Fails with ``ManifestUnknown``; with
            ``Unavailable`` or a ``DriverError`` if nothing is gone, and later with
            ``PartlyDeleted``.
        """

    def collect(digest: Digest, since: float) -> Deferred[bool]:
        """Unlink a manifest that nothing keeps, unless it was used after a time.

        :return: fires with whether it is gone.
        """
