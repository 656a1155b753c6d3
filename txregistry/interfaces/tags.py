"""Contracts for tags."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Interface

from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import RegistryError
from txregistry.spec.manifest.model import Manifest
from txregistry.spec.reference import Tag

#: Sorted by code point.
Tags = list[Tag]


class ITagService(Interface):
    """What the tags of one repository stand for."""

    def get(tag: Tag) -> Deferred[Descriptor]:
        """Fire with what a tag stands for; its size and type may not be known.

        Fails with ``ManifestUnknown``.
        """

    def list(after: str = "", limit: int | None = None) -> Deferred[Tags]:
        """Fire with the tags that sort after ``after``, sorted, at most ``limit``.

        Fails with ``NameUnknown``.
        """


@attrs.frozen
class TagTimes:
    """When a cached tag is asked for again, in seconds since the epoch.

    :ivar confirmed_at: when the upstream last said what it stands for.
    :ivar fresh_until: until when it is served without asking.
    :ivar stale_until: until when it is served while the upstream is away; ``None`` for
        no limit.
    """

    confirmed_at: float
    fresh_until: float
    stale_until: float | None


class IConfirmedTags(ITagService):
    """Tags of a cache."""

    def is_limited() -> bool:
        """Return whether stored tags are too old at some time to be served."""

    def times(tag: Tag) -> Deferred[TagTimes]:
        """Fire with the times of a stored tag; fails with ``ManifestUnknown``."""

    def refresh(tag: Tag) -> Deferred[Descriptor]:
        """Ask the upstream what a tag stands for, whatever is remembered of it.

        Fails with ``ManifestUnknown``, or as the upstream does.
        """


class ITagFallback(Interface):
    """Optional: an older answer where the newest one cannot be had."""

    def fall_back(tag: Tag, error: RegistryError) -> Deferred[Descriptor]:
        """Fire with what a tag stood for, whose manifest failed with an error.

        Fails with the error itself if it is no outage, or if there is nothing older.
        """


class IRemoteTags(ITagService):
    """Tags of an upstream, where each question counts."""

    def resolve(tag: Tag) -> Deferred[Descriptor | Manifest]:
        """Resolve a tag by HEAD if the upstream supports it, else by GET.

        Fires with the manifest itself where the upstream tells it in no other way.
        Fails with ``ManifestUnknown``, or as the upstream does.
        """

    def fetch(tag: Tag) -> Deferred[Manifest]:
        """Fire with the manifest that a tag stands for now; fails as ``resolve``."""

    def forget_missing(tag: Tag) -> None:
        """Ask for a tag next time, also if it was missing a short time ago."""


class ITagStore(ITagService):
    """Tags that can be set and removed."""

    def tag(tag: Tag, descriptor: Descriptor) -> Deferred[None]:
        """Let a tag stand for a manifest."""

    def untag(tag: Tag, digest: Digest | None = None) -> Deferred[None]:
        """Remove a tag; fails with ``ManifestUnknown``.

        :param digest: of the manifest that it has to stand for, if any will not do.
        """

    def lookup(digest: Digest) -> Deferred[Tags]:
        """Fire with the tags that stand for a manifest, sorted."""
