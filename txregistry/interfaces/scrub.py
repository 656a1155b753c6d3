"""Contracts for reading all that is stored, to find what the disk has lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Interface

from txregistry.interfaces.expiry import Kind
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName


class ScrubOutcome(StrEnum):
    """What became of content with a problem."""

    HEALED = "healed"  # fetched from the upstream again
    SET_ASIDE = "set aside"
    STUCK = "cannot be set aside"  # it stays where it is, and is not served
    UNREADABLE = "cannot be read"  # it stays: the disk may come back
    MISSING = "missing"  # linked, and not there


@attrs.frozen
class ScrubFinding:
    """One content with a problem.

    :ivar digest: as text.
    :ivar size: bytes; 0 if unknown.
    :ivar repositories: some of those that link it.
    """

    digest: str
    size: int
    outcome: ScrubOutcome
    repositories: tuple[str, ...] = ()


@attrs.frozen
class ScrubOptions:
    """How to scrub.

    :ivar rate: bytes per second; 0 for no limit.
    :ivar repositories: scrub only what these link; empty for all content.
    :ivar resume: continue an interrupted pass instead of beginning a new one.
    :ivar skip_seconds: pass over what a scrub has read within this time; 0 for nothing.
    :ivar links: then look for links to content that is not there.
    """

    rate: float = 0.0
    repositories: tuple[RepositoryName, ...] = ()
    resume: bool = False
    skip_seconds: float = 0.0
    links: bool = False


@attrs.frozen
class ScrubProgress:
    """How far a pass has come.

    :ivar fraction: of all content, from 0 to 1.
    """

    fraction: float
    contents: int
    size: int
    damaged: int


@attrs.define
class ScrubReport:
    """What a pass has found; a resumed one counts from its beginning.

    :ivar complete: everything was read; otherwise the pass was interrupted.
    :ivar resumed: the pass began in an earlier run.
    :ivar seconds: of this run.
    :ivar contents: that were read.
    :ivar size: bytes that were read.
    :ivar skipped: contents that were read lately.
    :ivar damaged: contents that did not match their digests.
    :ivar healed: of those, that were fetched again.
    :ivar findings: the first thousand.
    """

    complete: bool = False
    resumed: bool = False
    seconds: float = 0.0
    contents: int = 0
    size: int = 0
    skipped: int = 0
    damaged: int = 0
    healed: int = 0
    unreadable: int = 0
    missing: int = 0
    findings: list[ScrubFinding] = attrs.field(factory=list)


class ScrubRefused(Exception):
    """It cannot scrub now, or not so; the message says why."""


class IScrubber(Interface):
    """Reads stored content, and sets aside what does not match its digest."""

    def scrub(
        options: ScrubOptions, tell: Callable[[ScrubProgress], None]
    ) -> Deferred[ScrubReport]:
        """Make one pass.

        :param tell: called with progress, about twice a second.
        :return: fires with what was found. Fails with ``ScrubRefused`` if another pass
            is under way or a repository does not exist, or with a ``DriverError``.
            Cancelling ends it after the current piece of 1 MiB; it then fires with an
            incomplete report.
        """


@attrs.frozen
class Holder:
    """A repository that links some content, as a blob or as a manifest."""

    repository: RepositoryName
    kind: Kind


class IHealer(Interface):
    """Gets content again that was damaged."""

    def heal(digest: Digest, holders: Sequence[Holder]) -> Deferred[bool]:
        """Fetch content that is out of the way for one of its repositories.

        :return: fires with whether it is stored and verified again. Never fails.
            Cancelling only stops the wait.
        """


class IScrubMeter(Interface):
    """Counts what scrubs do; never waits, never fails."""

    def read(size: int) -> None:
        """Count bytes that were read."""

    def found(outcome: ScrubOutcome) -> None:
        """Count a finding."""

    def progress(fraction: float) -> None:
        """Record how far the pass under way has come, from 0 to 1."""

    def ended(at: float, unresolved: int) -> None:
        """Record a complete pass.

        :param at: when it ended, in seconds since the epoch.
        :param unresolved: findings that were not healed.
        """
