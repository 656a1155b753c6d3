"""Contracts for collecting what nothing refers to any more."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Interface


@attrs.frozen
class CollectOptions:
    """What is to be collected.

    :ivar dry_run: say what would go, and delete nothing.
    :ivar delete_untagged: manifests go that no tag, no index and no subject keeps.
    :ivar grace_seconds: what was written or used since then stays.
    """

    dry_run: bool = False
    delete_untagged: bool = False
    grace_seconds: float = 3600.0


@attrs.define
class CollectReport:
    """What was found and what went; with ``dry_run``, what would have gone.

    :ivar broken: manifests that are linked and cannot be read; they are left alone.
    :ivar leftovers_deleted: files of writes that a crash cut off over an hour ago.
    :ivar deleted: digests of content that went, up to a bound.
    """

    dry_run: bool = False
    repositories: int = 0
    manifests_kept: int = 0
    manifests_deleted: int = 0
    blobs_kept: int = 0
    blobs_deleted: int = 0
    bytes_deleted: int = 0
    links_deleted: int = 0
    leftovers_deleted: int = 0
    seconds: float = 0.0
    broken: list[str] = attrs.field(factory=list)
    deleted: list[str] = attrs.field(factory=list)


@attrs.frozen
class Progress:
    """How far a collection has come.

    :ivar stage: ``mark``, ``sweep`` or ``links``.
    :ivar done: repositories or contents that were looked at.
    """

    stage: str
    done: int


class CollectionRefused(Exception):
    """A collection was not begun; the message says why."""


class CollectionBusy(CollectionRefused):
    """A collection is under way already."""


class ICollector(Interface):
    """Collects what nothing refers to, while everything else goes on."""

    def collect(
        options: CollectOptions, tell: Callable[[Progress], None]
    ) -> Deferred[CollectReport]:
        """Collect once.

        :param tell: is told now and then how far it has come.
        :return: fires with what was done. Fails with ``CollectionRefused``, or a
            ``DriverError``, and then what went was right to go. Cancelling stops.
        """
