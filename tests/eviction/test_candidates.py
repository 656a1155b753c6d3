"""What may go, in its order."""

from __future__ import annotations

import resource
import sys

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from txregistry.eviction.candidates import PAGE, Candidates
from txregistry.interfaces.eviction import Stays
from txregistry.interfaces.expiry import Stored
from txregistry.spec.digest import Digest
from txregistry.storage.content.leases import Leases


class Everything:
    """Blobs by number, made as they are asked for; pins of some of them."""

    def __init__(self, count: int) -> None:
        self.count, self.pages, self.renewed = count, 0, []
        self.since, self.pinned = 10.0**9, set()

    def coldest(self, after: Stored | None, limit: int) -> Deferred[list[Stored]]:
        self.pages += 1
        first = 0 if after is None else int(after.last_use) + 1
        numbers = range(first, min(first + limit, self.count))
        return succeed([stored(number) for number in numbers])

    def renew(self, now: bool = False) -> Deferred[None]:
        self.renewed.append(now)
        return succeed(None)

    def holds(self, reference: str) -> bool:
        return reference in self.pinned


def stored(number: int) -> Stored:
    return Stored(f"sha256:{number:064x}", 1000, float(number))


class CandidatesTests(SynchronousTestCase):
    """A page at a time."""

    def make(self, count: int) -> Candidates:
        self.all, self.leases = Everything(count), Leases()
        self.filled: set[Digest] = set()
        return Candidates(self.all, self.leases, self.all, self.filled.__contains__)

    def test_reasons(self) -> None:
        """Each that stays has its reason."""
        candidates = self.make(4)
        read, filled, pinned, _ = (stored(n).reference for n in range(4))
        self.leases.take(Digest.parse(read))
        self.filled.add(Digest.parse(filled))
        self.all.pinned.add(pinned)
        page = self.successResultOf(candidates.page(None))
        self.assertEqual(
            [stays for _, stays in page.found],
            [Stays.READ, Stays.FILLED, Stays.PINNED, None],
        )
        self.assertEqual(page.going, [stored(3)])
        self.assertEqual(page.last, stored(3))
        self.assertIsNone(self.successResultOf(candidates.page(page.last)).last)

    def test_pins_are_looked_at_first(self) -> None:
        """Once for all pages, and again for what was used since."""
        candidates = self.make(2 * PAGE)
        self.assertIsNone(self.successResultOf(candidates.start()))
        page = self.successResultOf(candidates.page(None))
        self.successResultOf(candidates.page(page.last))
        self.assertEqual(self.all.renewed, [False])
        self.assertTrue(self.successResultOf(candidates.is_going(stored(1))))
        self.all.since = 1.0
        self.assertTrue(self.successResultOf(candidates.is_going(stored(1))))
        self.assertEqual(self.all.renewed, [False, True])

    def test_what_stays_is_passed_over(self) -> None:
        """Until the pins are looked at again a pass begins after what stays."""
        candidates = self.make(2 * PAGE)
        self.successResultOf(candidates.start())
        page = self.successResultOf(candidates.page(None))
        candidates.stay(page.last)
        self.assertEqual(self.successResultOf(candidates.start()), page.last)
        self.all.since += 1
        self.assertIsNone(self.successResultOf(candidates.start()))

    def test_many(self) -> None:
        """However much there is, a page is all that is in memory."""
        candidates = self.make(200_000)
        page = self.successResultOf(candidates.page(None))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        seen = 0
        while page.last is not None:
            seen += len(page.going)
            page = self.successResultOf(candidates.page(page.last))
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        self.assertEqual(seen, 200_000)
        self.assertLess(grown, 8 * 1024, sys.platform)
