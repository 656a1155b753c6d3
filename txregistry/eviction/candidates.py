"""What may go, in the order in which it goes."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from txregistry.flow.deferred import deferred
from txregistry.interfaces.blobs import ILeases
from txregistry.interfaces.eviction import Candidate, IPinned, Stays
from txregistry.interfaces.expiry import IAccounts, Stored
from txregistry.spec.digest import Digest

#: Content that is looked at together: all of a cache would not fit into memory.
PAGE = 100


@attrs.frozen
class CandidatePage:
    """Content, the least recently used first, each with why it stays if it does."""

    found: tuple[tuple[Stored, Stays | None], ...]

    @property
    def last(self) -> Stored | None:
        """Return after what the next page begins; ``None`` at the end."""
        return self.found[-1][0] if self.found else None

    @property
    def going(self) -> list[Stored]:
        """Return what may go."""
        return [stored for stored, stays in self.found if stays is None]


@attrs.define(eq=False)
class Candidates:
    """Looks through stored blobs, those that were not used for longest first.

    :param is_filled: tells whether a download of a digest is under way.
    """

    _accounts: IAccounts
    _leases: ILeases
    _pinned: IPinned
    _is_filled: Callable[[Digest], bool]
    _kept_to: Stored | None = None
    _kept_since: float = 0.0

    @deferred
    async def start(self) -> Stored | None:
        """Fire with where to begin: what comes before stays.

        That is what a pass has found to stay since the pins were looked at. There may
        be a hundred thousand pinned blobs that nobody has used for long.
        """
        await self._pinned.renew()
        return self._kept_to if self._kept_since == self._pinned.since else None

    def stay(self, to: Stored) -> None:
        """Record that nothing goes of all that there is, up to some content."""
        self._kept_to, self._kept_since = to, self._pinned.since

    @deferred
    async def page(self, after: Stored | None, limit: int = PAGE) -> CandidatePage:
        """Fire with what follows some content; fails as the ledger does."""
        found: list[Stored] = await self._accounts.coldest(after=after, limit=limit)
        return CandidatePage(tuple((stored, self.stays(stored)) for stored in found))

    @deferred
    async def first(self, number: int) -> tuple[Candidate, ...]:
        """Fire with what would go first, and who has it; fails as the ledger does."""
        await self.start()
        found = []
        for stored, stays in (await self.page(None, number)).found:
            held = await self._accounts.held(digest=Digest.parse(stored.reference))
            names = sorted(str(entry.key.repository) for entry in held)
            found.append(Candidate(stored, tuple(names), stays))
        return tuple(found)

    @deferred
    async def is_going(self, stored: Stored) -> bool:
        """Fire with whether content may really go, just before it does."""
        if stored.last_use >= self._pinned.since:
            # It may belong to an image that came after the pins were looked at.
            await self._pinned.renew(now=True)
        return self.stays(stored) is None

    def stays(self, stored: Stored) -> Stays | None:
        """Tell why content stays now; ``None`` if it may go."""
        digest = Digest.parse(stored.reference)
        if self._leases.held(digest):
            return Stays.READ
        if self._is_filled(digest):
            return Stays.FILLED
        return Stays.PINNED if self._pinned.holds(stored.reference) else None
