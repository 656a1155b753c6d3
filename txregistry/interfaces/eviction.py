"""Contracts for the room on the disk of a cache."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from txregistry.interfaces.driver import DiskSpace
from txregistry.interfaces.expiry import Stored
from txregistry.spec.digest import Digest


class Limit(Enum):
    """What there would be too little or too much of: the key of the configuration."""

    SIZE = "cache.maxsize"
    FREE = "cache.minfree"


class Stays(Enum):
    """Why content makes no room."""

    READ = "is being read"
    FILLED = "is being downloaded"
    PINNED = "belongs to a pinned image"


@attrs.frozen
class SpaceUsage:
    """What a cache takes, in bytes.

    :ivar stored: all content, each digest once.
    :ivar reserved: downloads under way, at their announced sizes.
    :ivar unwritten: the part of that which is not on the disk yet.
    :ivar idle: parts of blobs that no download is under way for.
    :ivar disk: of the file system; ``None`` if it is not known.
    """

    stored: int = 0
    reserved: int = 0
    unwritten: int = 0
    idle: int = 0
    disk: DiskSpace | None = None

    @property
    def partial(self) -> int:
        """Return what is not complete."""
        return self.reserved + self.idle

    @property
    def total(self) -> int:
        """Return all that counts towards a limit of the size."""
        return self.stored + self.partial


@attrs.frozen
class Shortage:
    """How many bytes have to go, and because of what."""

    size: int
    limit: Limit


class IReservation(Interface):
    """Room for one download."""

    size: int = Attribute("Bytes that are reserved.")

    def wrote(size: int) -> None:
        """Record how many bytes are written; more than were reserved are added."""

    def grow(size: int) -> Deferred[None]:
        """Reserve so many bytes in all; fails with ``CacheFull``."""

    def release(kept: int) -> None:
        """Give it back, once; further calls do nothing.

        :param kept: bytes that stay on the disk for a later download.
        """


class IRoom(Interface):
    """Makes room before something is stored."""

    def reserve(digest: Digest, size: int) -> Deferred[IReservation]:
        """Fire when there is room for a download of so many bytes.

        Downloads take turns. Fails with ``CacheFull`` if room cannot be made; then
        nothing was deleted for it. Cancelling stops the wait.

        :param size: as announced; 0 if that is not known.
        """


@attrs.frozen
class Candidate:
    """Content in the order in which it would go.

    :ivar repositories: which hold it, by name.
    :ivar stays: why it does not go; ``None`` if it does.
    """

    stored: Stored
    repositories: tuple[str, ...]
    stays: Stays | None = None


@attrs.frozen
class EvictionPreview:
    """What would go next.

    :ivar limit: bytes that may be taken; 0 for no limit.
    :ivar keep_free: bytes that stay free on the file system.
    :ivar shortage: what has to go now; ``None`` if nothing has to.
    """

    usage: SpaceUsage
    limit: int
    keep_free: int
    shortage: Shortage | None
    candidates: tuple[Candidate, ...]


class IEvictionPlan(Interface):
    """Tells what would go, and deletes nothing."""

    def preview(number: int) -> Deferred[EvictionPreview]:
        """Fire with the first candidates, those that stay included."""


class IPinList(Interface):
    """Images that an administrator has pinned, beside those of the configuration.

    It is durable. All Deferreds fail with a ``DriverError``.
    """

    def patterns() -> Deferred[Sequence[str]]:
        """Fire with all patterns, sorted."""

    def pin(pattern: str) -> Deferred[bool]:
        """Keep the images of a pattern; fires with whether it is new.

        Fails with ``ValueError`` if it is malformed.
        """

    def unpin(pattern: str) -> Deferred[bool]:
        """Keep them no more for this pattern; fires with whether it was there."""


class IPinned(Interface):
    """Knows what belongs to pinned images."""

    def renew(now: bool = False) -> Deferred[None]:
        """Look at the images again, unless that was done a moment ago.

        Fails with a ``DriverError`` if they were never looked at with success.

        :param now: look at once.
        """

    since: float = Attribute("When it was looked last, in seconds since the epoch.")

    def holds(reference: str) -> bool:
        """Tell whether content belongs to a pinned image, by its digest."""

    def holds_tag(name: str, tag: str) -> bool:
        """Tell whether the tag of a repository is pinned."""


class ISpaceMeter(Interface):
    """Is told of the room; never waits, never fails."""

    def measured(usage: SpaceUsage, limit: int, keep_free: int) -> None:
        """Record what was measured, in bytes."""
