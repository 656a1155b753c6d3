"""Reconcile the ledger with the tree: at the start, and when the ledger is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from txregistry.expiry.legacy import read_state, write_state
from txregistry.expiry.plan import BATCH, ExpiryPlan
from txregistry.flow.deferred import deferred
from txregistry.interfaces.blobs import IContent
from txregistry.interfaces.driver import DriverError, IStorageDriver, PathNotFound
from txregistry.interfaces.expiry import (
    NEVER,
    Entry,
    IInventory,
    ILedger,
    IUsage,
    Kind,
)
from txregistry.interfaces.fills import IPartialBlobs

#: Seconds after which partial blobs that no request resumed are deleted, and damaged
#: content: the upstream has another copy.
PARTIAL_SECONDS = 24 * 3600.0

#: Seconds for which content without a link is left alone.
ORPHAN_SECONDS = 3600.0

#: Comes after all digests.
_NOTHING = ("~", 0)


def keep_for_ever(ledger: IUsage, entry: Entry) -> None:
    """Record what a local repository has: links never end, tags hold no content."""
    if entry.key.kind is Kind.TAG:
        ledger.forget(entry.key)
    else:
        ledger.add(attrs.evolve(entry, last_use=NEVER))


async def _next(found: AsyncIterator[tuple[str, int]]) -> tuple[str, int]:
    async for item in found:
        return item
    return _NOTHING


@attrs.define(eq=False)
class Rebuild:
    """Reads other records of stored content, and writes one for the Go registry.

    :param state_path: of ``scheduler-state.json`` on the driver.
    """

    _driver: IStorageDriver
    _state_path: str
    _ledger: ILedger
    _inventory: IInventory
    _content: IContent
    _partials: IPartialBlobs
    _plan: ExpiryPlan
    _clock: IReactorTime
    _began_at: float = attrs.field(init=False)
    _recorded_generation: int | None = None
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._began_at = self._clock.seconds()

    def follow(self, plan: ExpiryPlan) -> None:
        """Use another plan."""
        self._plan = plan

    def knows_links(self) -> bool:
        """Tell whether the ledger has all links of the tree.

        Not before the first scan: the last process may have been killed before it wrote
        what it knew. Not while others have ledgers of their own, either.
        """
        return self._recorded_generation == self._ledger.generation

    @deferred
    async def run(self) -> None:
        """Record entries of a state file and the tree that the ledger lacks.

        Those of local repositories are no business of the ledger. An entry without a
        known last use counts as used now. Where others use the storage and have ledgers
        of their own, this one is of no use.
        """
        if self._driver.is_shared and not self._ledger.is_shared:
            return
        # A ledger that is away, or begins anew, does so before the scan.
        await self._ledger.restore(entries=[])
        generation = self._ledger.generation
        await self._import_state()
        began = self._clock.seconds()
        await self._record_links()
        self._ledger.scanned(generation)
        self._recorded_generation = generation
        try:
            await self._measure(began)
            await self._sweep()
        except DriverError as error:
            # Expiry continues without it.
            self._log.warn(
                "content is not measured, and not searched for what has no links:"
                " {error}",
                error=str(error),
            )

    @deferred
    async def _record_links(self) -> None:
        batch: list[Entry] = []
        async for entry in self._inventory.found():
            batch.append(entry)
            if len(batch) >= BATCH:
                await self._restore(batch)
                batch = []
        await self._restore(batch)

    @deferred
    async def _restore(self, batch: list[Entry]) -> None:
        now, rest = self._clock.seconds(), list[Entry]()
        for entry in batch:
            if self._plan.is_kept(entry.key.repository):
                # What was of an upstream until a restart is used for ever from now on.
                keep_for_ever(self._ledger, entry)
            else:
                rest.append(attrs.evolve(entry, last_use=now))
        await self._ledger.restore(entries=rest)

    @deferred
    async def _measure(self, began: float) -> None:
        """Correct sizes of content that went, or was replaced, without the ledger.

        :param began: content that was used since then may be about to be stored.
        """
        found, at = self._inventory.contents(), ("", 0)
        last, wrong = "", dict[str, int]()
        while page := await self._ledger.contents(after=last, limit=BATCH):
            last = page[-1].reference
            for stored in page:
                # Both are sorted.
                while at[0] < stored.reference:
                    at = await _next(found)
                size = at[1] if at[0] == stored.reference else 0
                if size != stored.size:
                    wrong[stored.reference] = size
            if wrong:
                await self._ledger.measured(sizes=wrong, before=began)
                wrong = {}

    @deferred
    async def _sweep(self) -> None:
        """Delete content that a crash left without a link.

        Young content may be about to get its first one, but for that from before this
        process where no other one stores anything.
        """
        before = self._clock.seconds() - ORPHAN_SECONDS
        if not self._driver.is_shared:
            before = max(before, self._began_at)
        async for digest in self._inventory.orphans(before=before):
            if await self._content.collect(digest=digest):
                self._log.info(
                    "deleted {digest}, which had no link", digest=str(digest)
                )

    @deferred
    async def export_state(self) -> None:
        """Write the state file, so that a Go registry can take over."""
        if not self._plan.expires:
            return
        entries = await self._ledger.entries()
        await self._driver.put(self._state_path, write_state(entries, self._plan))

    @deferred
    async def purge_partials(self) -> None:
        """Delete old partial blobs, and damaged content that an upstream has.

        Fails as the ledger does.
        """
        before = self._clock.seconds() - PARTIAL_SECONDS
        await self._partials.purge(before=before)
        await self._content.purge_damaged(before=before)

    @deferred
    async def _import_state(self) -> None:
        """Record what the state file has.

        What was used since it was written is not known. So it tells for how long
        something had been unused by then.
        """
        try:
            content = await self._driver.get(self._state_path)
            written_at = (await self._driver.stat(self._state_path)).modified_at
        except PathNotFound:
            return
        try:
            entries = read_state(content, self._plan)
        except ValueError as error:
            self._log.warn(
                "{path} is not usable and is set aside: {error}",
                path=self._state_path,
                error=str(error),
            )
            await self._driver.move(self._state_path, f"{self._state_path}.corrupt")
            return
        since = max(0.0, self._clock.seconds() - written_at)
        await self._ledger.restore(
            entries=[
                attrs.evolve(entry, last_use=entry.last_use + since)
                for entry in entries
            ]
        )
