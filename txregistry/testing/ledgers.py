"""The shared suite of :class:`ILedger`, for every provider."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.interfaces.expiry import (
    NEVER,
    Entry,
    EntryKey,
    ILedger,
    Kind,
    Stored,
)
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName

#: Content whose size is looked up, and its last use.
_MEASURED = ((b"123", 1.0), (b"4567", 99.0))


def key_of(reference: str, name: str = "a", kind: Kind = Kind.BLOB) -> EntryKey:
    """Give the key of something in a repository."""
    return EntryKey(RepositoryName(name), kind, reference)


def ledger_suite(make: Callable[[Any], ILedger]) -> type[SynchronousTestCase]:
    """Make the suite.

    :param make: is given the test, and makes a ledger; further ones of the same test
        are those of later processes.
    """

    class LedgerSuite(SynchronousTestCase):
        """What every provider does."""

        def setUp(self) -> None:
            super().setUp()
            self.ledger = make(self)

        def add(self, reference: str, last_use: float, name: str = "a") -> Entry:
            entry = Entry(key_of(reference, name), 1, last_use)
            self.ledger.add(entry=entry)
            return entry

        def due(self, cutoff: float) -> list[str]:
            found = self.successResultOf(self.ledger.due(cutoff=cutoff, limit=10))
            return [entry.key.reference for entry in found]

        def claim(self, entry: Entry) -> bool:
            return self.successResultOf(self.ledger.claim(entry=entry))

        def holders(self, digest: Digest) -> set[str]:
            found = self.successResultOf(self.ledger.holders(digest=digest))
            return set(map(str, found))

        def confirm(self, key: EntryKey, now: float, what: str = "it") -> None:
            self.ledger.confirm(key=key, now=now, what=what)

        def confirmed_at(self, key: EntryKey, what: str = "it") -> float | None:
            found = self.ledger.confirmed_at(key=key, what=what)
            return self.successResultOf(found)

        def begin_again(self) -> None:
            self.successResultOf(self.ledger.close())
            self.ledger = make(self)

        def test_provides_the_interfaces(self) -> None:
            """It is what it says."""
            verifyObject(ILedger, self.ledger)

        def test_due_is_oldest_first(self) -> None:
            """What is due comes in the order of its last use, up to a limit."""
            self.add("x", 30.0)
            self.add("y", 10.5)
            self.add("z", 50.0)
            self.assertEqual(self.due(40.0), ["y", "x"])
            self.assertEqual(self.due(30.0), ["y"])
            found = self.successResultOf(self.ledger.due(cutoff=40.0, limit=1))
            self.assertEqual(found, [Entry(key_of("y"), 1, 10.5)])

        def test_find(self) -> None:
            """One thing is found by its key, with its last use, or it is not there."""
            entry = self.add("x", 10.0)
            self.ledger.touch(key=entry.key, now=20.0)
            found = self.successResultOf(self.ledger.find(key=entry.key))
            self.assertEqual(found, Entry(entry.key, entry.size, 20.0))
            self.ledger.forget(key=entry.key)
            self.assertIsNone(self.successResultOf(self.ledger.find(key=entry.key)))

        def test_pages(self) -> None:
            """One page follows another, also where last uses are equal."""
            for reference, use in (("a", 1.0), ("b", 2.0), ("c", 2.0), ("d", 2.0)):
                self.add(reference, use)
            self.add("e", 9.0)
            found: list[Entry] = []
            while page := self.page(5.0, found[-1] if found else None):
                found += page
            references = [entry.key.reference for entry in found]
            self.assertEqual(references, ["a", "b", "c", "d"])

        def test_pages_of_what_changes(self) -> None:
            """Nothing is left out although what a page ended with has moved."""
            for reference, use in (("a", 1.0), ("b", 2.0), ("c", 2.0)):
                self.add(reference, use)
            last = self.page(5.0, None)[-1]
            self.assertEqual(last.key.reference, "b")
            self.ledger.touch(key=last.key, now=9.0)
            found = [entry.key.reference for entry in self.page(5.0, last)]
            self.assertEqual(found, ["c"])

        def page(self, cutoff: float, after: Entry | None) -> list[Entry]:
            """Give the two entries that follow one."""
            done = self.ledger.due(cutoff=cutoff, limit=2, after=after)
            found: list[Entry] = self.successResultOf(done)
            return found

        def test_touch_moves_forward_only(self) -> None:
            """A use counts, an older one does not."""
            self.add("x", 10.0)
            self.ledger.touch(key=key_of("x"), now=100.0)
            self.assertEqual(self.due(50.0), [])
            self.ledger.touch(key=key_of("x"), now=20.0)
            self.assertEqual(self.due(50.0), [])
            self.add("x", 5.0)
            self.assertEqual(self.due(50.0), [])

        def test_touch_of_what_is_not_there(self) -> None:
            """A use of something unknown records nothing."""
            self.ledger.touch(key=key_of("x"), now=1.0)
            self.assertEqual(self.successResultOf(self.ledger.entries()), [])

        def test_claim_once(self) -> None:
            """Of two that claim an entry, one gets it, and it is due no more."""
            entry = self.add("x", 10.0)
            self.assertTrue(self.claim(entry))
            self.assertFalse(self.claim(entry))
            self.successResultOf(self.ledger.finish(entry=entry))
            self.assertFalse(self.claim(entry))
            self.assertEqual(self.due(1e9), [])

        def test_claim_of_what_was_used_since(self) -> None:
            """A use between looking and claiming keeps the entry."""
            entry = self.add("x", 10.0)
            self.ledger.touch(key=entry.key, now=20.0)
            self.assertFalse(self.claim(entry))

        def test_claim_of_what_is_not_there(self) -> None:
            """What is unknown cannot be claimed."""
            self.assertFalse(self.claim(Entry(key_of("x"), 1, 10.0)))

        def test_what_was_claimed_can_be_added_again(self) -> None:
            """Work that failed is due again."""
            entry = self.add("x", 10.0)
            self.assertTrue(self.claim(entry))
            self.ledger.add(entry=entry)
            self.assertEqual(self.due(50.0), ["x"])
            self.assertTrue(self.claim(entry))

        def test_holders(self) -> None:
            """All repositories that hold some content are known at once."""
            digest = Digest.of(b"x")
            held = self.add(str(digest), 1.0, "a")
            self.add(str(digest), 1.0, "b/c")
            self.add(str(Digest.of(b"y")), 1.0, "d")
            self.assertEqual(self.holders(digest), {"a", "b/c"})
            self.ledger.forget(key=key_of(str(digest), "b/c"))
            self.assertEqual(self.holders(digest), {"a"})
            self.assertTrue(self.claim(held))
            self.assertEqual(self.holders(digest), set())

        def test_forget_and_add_again(self) -> None:
            """What was forgotten can come back."""
            self.add("x", 1.0)
            self.ledger.forget(key=key_of("x"))
            self.assertEqual(self.due(10.0), [])
            self.add("x", 2.0)
            self.assertEqual(self.due(10.0), ["x"])

        def test_confirmations(self) -> None:
            """The last confirmation counts, and goes with what it is about."""
            tag, other = key_of("v1", kind=Kind.TAG), key_of("v2", kind=Kind.TAG)
            self.assertIsNone(self.confirmed_at(tag))
            self.confirm(tag, 7.0)
            self.assertEqual(self.confirmed_at(tag), 7.0)
            self.confirm(tag, 8.25)
            self.successResultOf(self.ledger.flush())
            self.assertEqual(self.confirmed_at(tag), 8.25)
            self.assertIsNone(self.confirmed_at(other))
            self.ledger.forget(key=tag)
            self.assertIsNone(self.confirmed_at(tag))
            self.successResultOf(self.ledger.flush())
            self.assertIsNone(self.confirmed_at(tag))

        def test_another_confirmation(self) -> None:
            """Of what was confirmed the last counts, and says nothing of another."""
            tag = key_of("v1", kind=Kind.TAG)
            self.confirm(tag, 7.0, "first")
            for _ in range(2):
                self.assertIsNone(self.confirmed_at(tag, "second one"))
                self.assertEqual(self.confirmed_at(tag, "first"), 7.0)
                self.successResultOf(self.ledger.flush())
            self.confirm(tag, 6.0, "second one")
            for _ in range(2):
                self.assertIsNone(self.confirmed_at(tag, "first"))
                self.assertEqual(self.confirmed_at(tag, "second one"), 6.0)
                self.successResultOf(self.ledger.flush())

        def test_a_claimed_tag_is_confirmed_no_more(self) -> None:
            """Expiry leaves nothing of a tag behind."""
            entry = Entry(key_of("v1", kind=Kind.TAG), 0, 1.0)
            self.ledger.add(entry=entry)
            self.confirm(entry.key, 1.0)
            self.assertTrue(self.claim(entry))
            self.assertIsNone(self.confirmed_at(entry.key))

        def test_survives_a_restart(self) -> None:
            """What was flushed is there in the next process."""
            self.add("x", 1.0)
            tag = key_of("v1", kind=Kind.TAG)
            self.confirm(tag, 7.0)
            self.begin_again()
            self.assertEqual(self.due(10.0), ["x"])
            self.assertEqual(self.confirmed_at(tag), 7.0)
            self.assertEqual(self.ledger.generation, 0)

        def test_restore_does_not_overwrite(self) -> None:
            """The last use that is known is not changed by what is found."""
            entry = self.add("x", 1.0)
            found = [Entry(entry.key, 9, 99.0), Entry(key_of("y"), 9, 99.0)]
            self.successResultOf(self.ledger.flush())
            self.successResultOf(self.ledger.restore(entries=found))
            entries = self.successResultOf(self.ledger.entries())
            self.assertEqual(
                {(e.key.reference, e.size, e.last_use) for e in entries},
                {("x", 9, 1.0), ("y", 9, 99.0)},
            )

        def stored(self) -> int:
            return self.successResultOf(self.ledger.stored())

        def coldest(self, after: Stored | None = None, limit: int = 9) -> list[Stored]:
            return self.successResultOf(self.ledger.coldest(after=after, limit=limit))

        def hold(
            self, content: bytes, last_use: float, name: str = "a", kind: Any = None
        ) -> Entry:
            key = key_of(str(Digest.of(content)), name, kind or Kind.BLOB)
            entry = Entry(key, len(content), last_use)
            self.ledger.add(entry=entry)
            return entry

        def test_each_content_counts_once(self) -> None:
            """However many repositories hold it; a tag takes nothing."""
            self.assertEqual(self.stored(), 0)
            first = self.hold(b"12345", 1.0)
            self.hold(b"12345", 9.0, "b")
            self.hold(b"678", 2.0, kind=Kind.MANIFEST)
            self.ledger.add(entry=Entry(key_of("v1", kind=Kind.TAG), 7, 1.0))
            self.assertEqual(self.stored(), 8)
            self.ledger.forget(key=first.key)
            self.assertEqual(self.stored(), 8)
            self.ledger.forget(key=key_of(first.key.reference, "b"))
            self.assertEqual(self.stored(), 3)

        def test_a_claim_takes_it_out(self) -> None:
            """What was claimed is counted no more, and again when it comes back."""
            entry = self.hold(b"12345", 1.0)
            self.assertTrue(self.claim(entry))
            self.assertEqual(self.stored(), 0)
            self.ledger.add(entry=entry)
            self.assertEqual(self.stored(), 5)
            self.begin_again()
            self.assertEqual(self.stored(), 5)

        def test_coldest(self) -> None:
            """Blobs by the latest use in any repository, page by page."""
            for number, content in enumerate((b"a", b"bb", b"ccc", b"dddd")):
                self.hold(content, 10.0 + number // 2)
            self.hold(b"a", 30.0, "other")
            self.hold(b"manifest", 1.0, kind=Kind.MANIFEST)
            self.hold(b"bb", 1.0, "older")
            whole = self.coldest()
            self.assertEqual([found.size for found in whole[:1]], [2])
            self.assertEqual({found.size for found in whole[1:3]}, {3, 4})
            self.assertEqual(whole[3:], [Stored(str(Digest.of(b"a")), 1, 30.0)])
            paged, last = [], None
            while page := self.coldest(last, 1):
                last = page[0]
                paged.append(last)
            self.assertEqual(paged, whole)

        def test_uses_warm(self) -> None:
            """A use moves content to the end, and a holder that goes takes its own."""
            self.hold(b"x", 1.0)
            self.hold(b"yy", 2.0)
            late = self.hold(b"x", 3.0, "b")
            self.assertEqual([found.size for found in self.coldest()], [2, 1])
            self.ledger.touch(key=key_of(str(Digest.of(b"yy"))), now=9.0)
            self.assertEqual([found.size for found in self.coldest()], [1, 2])
            self.ledger.forget(key=late.key)
            self.assertEqual(self.coldest()[0].last_use, 1.0)

        def test_what_never_goes(self) -> None:
            """What is used for ever is neither counted, nor due, nor a candidate."""
            self.hold(b"shared", 1.0)
            kept = self.hold(b"shared", NEVER, "local")
            self.assertEqual((self.stored(), self.coldest()), (0, []))
            self.assertEqual(self.due(1e12), [kept.key.reference])
            self.ledger.forget(key=kept.key)
            self.assertEqual(self.stored(), 6)
            self.assertEqual([found.size for found in self.coldest()], [6])

        def test_held(self) -> None:
            """All entries of some content, with their uses."""
            digest = Digest.of(b"12")
            self.hold(b"12", 1.0)
            self.hold(b"12", 2.0, "b", Kind.MANIFEST)
            self.hold(b"34", 3.0)
            self.ledger.touch(key=key_of(str(digest)), now=5.0)
            found = self.successResultOf(self.ledger.held(digest=digest))
            uses = {(str(entry.key.repository), entry.last_use) for entry in found}
            self.assertEqual(uses, {("a", 5.0), ("b", 2.0)})

        def test_measured(self) -> None:
            """A size that was found is taken over, unless it was used since."""
            wrong, new = (str(self.hold(x, t).key.reference) for x, t in _MEASURED)
            sizes = {wrong: 0, new: 0, str(Digest.of(b"none")): 5}
            self.successResultOf(self.ledger.flush())
            self.successResultOf(self.ledger.measured(sizes=sizes, before=10.0))
            self.assertEqual(self.stored(), 4)
            self.assertEqual([found.reference for found in self.coldest()], [new])
            self.successResultOf(self.ledger.measured(sizes={wrong: 9}, before=10.0))
            self.assertEqual(self.stored(), 13)

        def test_contents(self) -> None:
            """All content by its digest, page by page."""
            names = sorted(
                self.hold(b"%d" % number, 1.0).key.reference for number in range(5)
            )
            self.hold(b"1", 1.0, "b")
            self.hold(b"2", 1.0, kind=Kind.MANIFEST)
            found, last = [], ""
            while page := self.successResultOf(self.ledger.contents(last, 2)):
                found += [stored.reference for stored in page]
                last = found[-1]
            self.assertEqual(found, names)

        def test_restore_ends_never(self) -> None:
            """What was kept for ever begins its life when it is found otherwise."""
            kept = self.hold(b"12345", NEVER)
            self.hold(b"12345", 2.0, "b")
            self.successResultOf(self.ledger.flush())
            self.assertEqual(self.stored(), 0)
            found = Entry(kept.key, 5, 7.0)
            self.successResultOf(self.ledger.restore(entries=[found]))
            self.assertEqual(self.stored(), 5)
            self.assertEqual(self.coldest()[0].last_use, 7.0)

        def test_restore_takes_sizes_over(self) -> None:
            """A size that was not known is found in the tree."""
            entry = self.hold(b"12345", 1.0)
            self.ledger.add(entry=Entry(entry.key, 0, 1.0))
            self.successResultOf(self.ledger.flush())
            self.successResultOf(self.ledger.restore(entries=[entry]))
            self.assertEqual(self.stored(), 5)

        def test_many(self) -> None:
            """Everything is found, however much there is."""
            digest = Digest.of(b"x")
            for number in range(400):
                self.add(str(digest), float(number), f"a/{number}")
            self.assertEqual(len(self.holders(digest)), 400)
            found = self.successResultOf(self.ledger.entries())
            self.assertEqual(len({entry.key for entry in found}), 400)

    return LedgerSuite
