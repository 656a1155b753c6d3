"""What was recorded and is not written yet.

Note [Batches]. Uses are recorded in memory and written together. So the hot path needs
no lock and waits for nothing. A ledger writes its batch before each query, which then
sees what was recorded. A crash loses at most the uses since the last write, and
additions are found again in the tree.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from txregistry.interfaces.expiry import Entry, EntryKey


@attrs.define
class Batch:
    """Records by what they are about; the last one of each kind counts."""

    added: dict[EntryKey, Entry] = attrs.field(factory=dict)
    touched: dict[EntryKey, float] = attrs.field(factory=dict)
    forgotten: set[EntryKey] = attrs.field(factory=set)
    confirmed: dict[EntryKey, tuple[float, str]] = attrs.field(factory=dict)

    def __len__(self) -> int:
        told = len(self.added) + len(self.touched)
        return told + len(self.forgotten) + len(self.confirmed)

    def add(self, entry: Entry) -> None:
        """Record an addition."""
        self.forgotten.discard(entry.key)
        self.added[entry.key] = entry

    def touch(self, key: EntryKey, now: float) -> None:
        """Record a use."""
        self.touched[key] = now

    def forget(self, key: EntryKey) -> None:
        """Record a removal."""
        self.added.pop(key, None)
        self.touched.pop(key, None)
        self.confirmed.pop(key, None)
        self.forgotten.add(key)

    def confirm(self, key: EntryKey, now: float, what: str) -> None:
        """Record that the upstream confirmed something."""
        self.confirmed[key] = now, what

    def was_used_since(self, entry: Entry) -> bool:
        """Tell whether a use of an entry is recorded that is later than its own."""
        added = self.added.get(entry.key)
        uses = [self.touched.get(entry.key, 0.0), added.last_use if added else 0.0]
        return max(uses) > entry.last_use

    def applied_to(self, entries: Iterable[Entry], reference: str) -> list[Entry]:
        """Give the entries of a reference, as they are once this is written.

        :param entries: those that are written.
        """
        found = {entry.key: entry for entry in entries}
        for key in self.forgotten:
            found.pop(key, None)
        found |= {
            key: entry
            for key, entry in self.added.items()
            if key.reference == reference
        }
        return [
            attrs.evolve(
                entry, last_use=max(entry.last_use, self.touched.get(key, 0.0))
            )
            for key, entry in found.items()
        ]

    def before(self, later: Batch) -> None:
        """Put a batch that could not be written below newer records."""
        for key in later.forgotten:
            self.forget(key)
        for entry in later.added.values():
            self.add(entry)
        self.touched.update(later.touched)
        self.confirmed.update(later.confirmed)
