"""Contracts for what is kept, since when, and when it goes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from enum import Enum

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from txregistry.interfaces.blobs import ILinkIndex
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName

#: The last use of what never expires and never makes room, in seconds since the epoch:
#: content of local repositories. It is later than any time, and finite for databases.
NEVER = 1e15


class Kind(Enum):
    """What an entry of the ledger stands for."""

    BLOB = "blob"
    MANIFEST = "manifest"
    TAG = "tag"


@attrs.frozen(cache_hash=True)
class EntryKey:
    """Names one thing that a repository holds.

    :ivar reference: a digest as text, or a tag.
    """

    repository: RepositoryName
    kind: Kind
    reference: str


@attrs.frozen
class Entry:
    """One row of the ledger.

    :ivar size: bytes; 0 for a tag.
    :ivar last_use: seconds since the epoch.
    """

    key: EntryKey
    size: int
    last_use: float


@attrs.frozen
class Stored:
    """Content, whichever repositories hold it.

    :ivar reference: its digest as text.
    :ivar size: bytes.
    :ivar last_use: the latest of all repositories, in seconds since the epoch.
    """

    reference: str
    size: int
    last_use: float


class IUsage(Interface):
    """Is told what is stored and used; never waits."""

    def add(entry: Entry) -> None:
        """Record that something is there from now on."""

    def touch(key: EntryKey, now: float) -> None:
        """Record a use."""

    def forget(key: EntryKey) -> None:
        """Record that something is no longer there."""


class LedgerAway(Exception):
    """The ledger cannot be asked now; it will be there again."""


class IExpiryLedger(IUsage):
    """A durable record of what is stored and when it was last used.

    All Deferreds may fail with ``LedgerAway``, or with the error of a database.
    """

    generation: int = Attribute("Grows when what was recorded has been lost.")
    is_shared: bool = Attribute(
        "All processes that use the storage record their uses here."
    )

    def due(
        cutoff: float, limit: int, after: Entry | None = None
    ) -> Deferred[list[Entry]]:
        """Fire with entries last used before ``cutoff``, oldest first.

        :param after: an entry of an earlier answer: what follows it. If it was used or
            removed since, some that preceded it may come again.
        """

    def claim(entry: Entry) -> Deferred[bool]:
        """Take an entry out if it was not used since; fire with whether it was.

        Of all processes that share the ledger one gets it. A claim that is neither
        finished nor added again comes back by itself, if its process ends.
        """

    def finish(entry: Entry) -> Deferred[None]:
        """Forget a claim: what it was for is done."""

    def flush() -> Deferred[None]:
        """Make durable what was recorded so far."""

    def restore(entries: Sequence[Entry]) -> Deferred[None]:
        """Record what was found in the tree or another record, where not known.

        Of what is known only a size that is not 0 is taken over, and the last use if
        it was :data:`NEVER`. Without any it fails all the same if the ledger is away.
        """

    def scanned(generation: int) -> None:
        """Believe in what is recorded: all links of the tree were restored.

        Who asks for the holders of content of a ledger that has lost records fails
        with ``LedgerAway`` until then.

        :param generation: of the ledger when the scan began. If it has grown since,
            there has to be another scan.
        """

    def entries() -> Deferred[list[Entry]]:
        """Fire with everything that is recorded."""

    def find(key: EntryKey) -> Deferred[Entry | None]:
        """Fire with what is recorded of one thing; ``None`` if nothing is."""


class IAccounts(Interface):
    """What stored content takes, each digest once. Deferreds fail as those of a ledger.

    What is held with a last use of :data:`NEVER` is not counted, and no candidate.
    """

    def stored() -> Deferred[int]:
        """Fire with the bytes of all content."""

    def coldest(after: Stored | None, limit: int) -> Deferred[list[Stored]]:
        """Fire with a page of blobs, those that were not used for longest first.

        Manifests, and what is empty or missing, are left out.

        :param after: the last one of the page before.
        """

    def held(digest: Digest) -> Deferred[list[Entry]]:
        """Fire with the entries of some content, of all repositories."""

    def contents(after: str, limit: int) -> Deferred[list[Stored]]:
        """Fire with a page of all content, sorted by digest.

        :param after: the last digest of the page before; empty for the first page.
        """

    def measured(sizes: Mapping[str, int], before: float) -> Deferred[None]:
        """Correct sizes in bytes, by digest; 0 for what is not there.

        What was used since a time is left alone: it may be about to be stored.

        :param before: seconds since the epoch.
        """


class IInventory(Interface):
    """What is really there, found by looking."""

    def found(under: str = "") -> AsyncIterator[Entry]:
        """Visit every link of every repository; await each item.

        ``last_use`` is when it was linked.

        :param under: a repository, or the first components of several; all if empty.
        """

    def contents() -> AsyncIterator[tuple[str, int]]:
        """Visit all content by digest, with its bytes; sorted, await each item.

        Fails with a ``DriverError`` if some of it cannot be looked at.
        """

    def orphans(before: float) -> AsyncIterator[Digest]:
        """Visit content that no repository links and nobody wrote since a time."""


class ITagMemory(Interface):
    """Remembers when an upstream last confirmed a tag, or access to content."""

    is_shared: bool = Attribute("Other processes record here what they were told.")

    def confirm(key: EntryKey, now: float, what: str) -> None:
        """Record that the upstream stood by something.

        :param what: which upstream, and which answer. Only the last one is remembered.
        """

    def confirmed_at(key: EntryKey, what: str) -> Deferred[float | None]:
        """Fire with when the upstream last did.

        It fires with ``None`` if that is not known, or if what was confirmed last was
        something else. Never fails: a client waits, and the upstream can be asked.
        """


class ILedger(IExpiryLedger, IAccounts, ILinkIndex, ITagMemory):
    """All that a cache and its expiry ask of one ledger."""

    def close() -> Deferred[None]:
        """Make durable what was recorded, and end; to be called last."""
