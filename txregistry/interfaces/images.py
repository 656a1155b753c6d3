"""Contracts for whole images of a cache: what is here, and how to have it here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from txregistry.interfaces.answers import LastAnswer
from txregistry.interfaces.namespace import IRepository
from txregistry.spec.digest import Digest
from txregistry.spec.imagename import ImageName
from txregistry.spec.platforms import WantedPlatform
from txregistry.spec.reference import RepositoryName


class PartState(Enum):
    """What has become of a part of an image that is being fetched."""

    WAITING = "waiting"
    FETCHING = "fetching"
    HERE = "here"
    FAILED = "failed"


@attrs.frozen
class WarmProgress:
    """How far one part of an image has come.

    :ivar kind: ``manifest`` or ``blob``.
    :ivar size: in bytes; ``None`` if it is not known.
    :ivar done: bytes that are here.
    """

    image: str
    digest: str
    kind: str
    state: PartState
    size: int | None
    done: int


@attrs.define
class WarmReport:
    """What a warming did for one image.

    :ivar digest: of the manifest on top; empty if it could not be had.
    :ivar parts: manifests and blobs of the image, for the platforms that were wanted,
        and of what refers to it, such as signatures.
    :ivar fetched: how many of them were not here before.
    :ivar fetched_bytes: of blobs that were not here before.
    :ivar failures: one line for each part that could not be had.
    """

    image: str
    digest: str = ""
    parts: int = 0
    fetched: int = 0
    fetched_bytes: int = 0
    failures: list[str] = attrs.field(factory=list)


@attrs.frozen
class PlatformReport:
    """What is here of an image for one platform.

    :ivar platform: as ``OS/ARCHITECTURE``; empty if the image does not say.
    :ivar bytes: of all its blobs, as its manifest says.
    :ivar missing: digests of what is not here.
    """

    platform: str
    digest: str
    bytes: int
    missing: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Return whether all of it is here."""
        return not self.missing


@attrs.frozen
class ImageReport:
    """What is here of an image.

    :ivar image: by its stored name.
    :ivar upstream: what its upstream is called; empty for a local repository.
    :ivar digest: of the manifest on top; empty if it is not here.
    :ivar platforms: of an index its children, else one.
    :ivar confirmed_at: when the upstream last said what the tag stands for, in seconds
        since the epoch; ``None`` if it is not known, or without a tag.
    :ivar fresh_until: until when the tag is served without asking the upstream.
    :ivar stale_until: until when it is served while the upstream is away; ``None`` for
        no limit.
    :ivar last_use: of the manifest on top.
    :ivar expires_at: when the manifest on top goes if it is not used; ``None`` for
        never.
    :ivar is_local: it is of a local repository.
    :ivar answer: what the last client was told that asked for this tag or digest;
        ``None`` if nobody did, or that is forgotten.
    """

    image: str
    upstream: str
    digest: str = ""
    platforms: tuple[PlatformReport, ...] = ()
    confirmed_at: float | None = None
    fresh_until: float | None = None
    stale_until: float | None = None
    last_use: float | None = None
    expires_at: float | None = None
    is_local: bool = False
    answer: LastAnswer | None = None


@attrs.frozen
class PurgedImages:
    """What a purge removed: tags, manifests and blobs of repositories."""

    tags: int
    manifests: int
    blobs: int


class ImagesRefused(Exception):
    """What is asked of images cannot be done; the message says why."""


#: Called with progress.
TellWarm = Callable[[WarmProgress], None]


class IFindings(Interface):
    """What was found of one repository, to be used within moments."""

    repository: IRepository = Attribute("The repository, of the local storage.")

    def platforms(top: Digest) -> Deferred[tuple[PlatformReport, ...]]:
        """Fire with what is here of an image that is here, by platform."""


class IImages(Interface):
    """The images of one cache."""

    def findings(name: RepositoryName) -> Deferred[IFindings]:
        """Fire with nothing found yet of a repository."""

    def named(text: str) -> ImageName:
        """Return an image as clients name it.

        :raise ImagesRefused: it names none; the message says why.
        """

    def repository_named(text: str) -> RepositoryName:
        """Return the stored name of a repository; raises as :meth:`named`."""

    def warm(
        image: ImageName, platforms: Sequence[WantedPlatform], tell: TellWarm
    ) -> Deferred[WarmReport]:
        """Fetch all of an image that is not here, with what refers to its manifests.

        The tag is asked for anew.

        :param platforms: of an index; none for all.
        :return: fires with a report also if parts of it failed. Cancelling leaves what
            has come, from which the next warming resumes.
        """

    def explain(image: ImageName) -> Deferred[ImageReport]:
        """Fire with what is here of an image; asks no upstream and counts as no use."""

    def lacks(
        image: ImageName,
        platforms: Sequence[WantedPlatform],
        findings: IFindings | None = None,
    ) -> Deferred[str]:
        """Fire with what a pull would lack if the upstream were gone now.

        :param findings: of the repository, where many of its images are looked at.
        :param platforms: that are pulled; without any, each of which something is here.
        :return: fires with an empty text if it would lack nothing.
        """

    def refresh(image: ImageName) -> Deferred[ImageReport]:
        """Ask the upstream what a tag stands for now; fires with what is here of it.

        Fails with ``ImagesRefused`` without a tag, or as the upstream does.
        """

    def purge(image: ImageName) -> Deferred[PurgedImages]:
        """Remove an image, and what no other tag of its repository needs.

        Fails with ``ImagesRefused`` for a local repository, or if nothing is here.
        """

    def preview_purge(image: ImageName) -> Deferred[PurgedImages]:
        """Tell what :meth:`purge` would remove; fails as it does."""

    def purge_repository(name: RepositoryName) -> Deferred[PurgedImages]:
        """Remove all of a repository; fails as :meth:`purge`."""

    def purge_upstream(key: str) -> Deferred[PurgedImages]:
        """Remove all repositories of an upstream; fails as :meth:`purge`.

        :param key: of ``proxy.upstreams``.
        """
