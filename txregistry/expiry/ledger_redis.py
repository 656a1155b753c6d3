"""The ledger in redis: one for all nodes of one storage.

While redis is away, records wait in memory and nothing expires: a process that does not
know what others use must not delete content.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import attrs
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.expiry import redis_accounts as accounts
from txregistry.expiry import redis_scripts as scripts
from txregistry.expiry.batch import Batch
from txregistry.expiry.redis_scripts import Words, member
from txregistry.flow.context import background
from txregistry.flow.deferred import deferred
from txregistry.flow.redis.client import RETRY_SECONDS, Redis, RedisAway
from txregistry.interfaces.expiry import (
    Entry,
    EntryKey,
    ILedger,
    LedgerAway,
    Stored,
)
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName

_log = Logger()

#: Seconds for which records are gathered.
WRITE_SECONDS = 1.0

#: Records that wait while redis is away, about 500 bytes each; what is beyond is lost,
#: and the tree is scanned again.
MAX_WAITING = 50_000

#: Seconds after which a claim that nobody has finished comes back.
LEASE_SECONDS = 300

#: Operations in one script, and entries in one answer: of a few hundred bytes each, and
#: an answer may have 64 KiB.
_OPERATIONS, _PAGE = 200, 120


@implementer(ILedger)
@attrs.define(eq=False)
class RedisLedger:
    """A ledger that other processes use as well.

    What is recorded is written every second, in batches (Note [Batches] in
    :mod:`txregistry.expiry.batch`).

    :ivar generation: grows when redis has lost records, or this process some of
        those that waited; see Note [Epoch] in :mod:`txregistry.expiry.redis_scripts`.
        Nobody is told who holds what then, until all that the tree has is restored.
    """

    _redis: Redis
    _clock: IReactorTime
    is_shared: bool = True
    generation: int = 0
    _epoch: str = ""
    _batch: Batch = attrs.field(factory=Batch)
    _lost_some: bool = False
    _scanned_generation: int = 0
    _timer: IDelayedCall | None = None
    _writing: DeferredLock = attrs.field(factory=DeferredLock)
    _closed: bool = False
    _log = Logger()

    def add(self, entry: Entry) -> None:
        """Record an addition."""
        self._batch.add(entry)
        self._write_soon()

    def touch(self, key: EntryKey, now: float) -> None:
        """Record a use."""
        self._batch.touch(key, now)
        self._write_soon()

    def forget(self, key: EntryKey) -> None:
        """Record a removal."""
        self._batch.forget(key)
        self._write_soon()

    def confirm(self, key: EntryKey, now: float, what: str) -> None:
        """Record that the upstream confirmed something."""
        self._batch.confirm(key, now, what)
        self._write_soon()

    @deferred
    async def due(
        self, cutoff: float, limit: int, after: Entry | None = None
    ) -> list[Entry]:
        """Fire with entries last used before a time, at most 120."""
        await self.flush()
        words = [repr(cutoff), str(min(limit, _PAGE))]
        if after is not None:
            words += [member(after.key), repr(after.last_use)]
        return _entries(await self._run(scripts.DUE, *words))

    @deferred
    async def claim(self, entry: Entry) -> bool:
        """Take an entry out for ``LEASE_SECONDS``, if it was not used since."""
        await self.flush()
        words = member(entry.key), repr(entry.last_use), str(LEASE_SECONDS)
        return await self._run(scripts.CLAIM, *words) == ["1"]

    @deferred
    async def finish(self, entry: Entry) -> None:
        """Forget a claim."""
        await self._run(scripts.FINISH, member(entry.key))

    @deferred
    async def holders(self, digest: Digest) -> frozenset[RepositoryName]:
        """Fire with the repositories that hold some content."""
        await self.flush()
        found: list[str] = []
        while True:
            at, count = str(len(found)), str(_PAGE)
            page = await self._run(scripts.HOLDERS, str(digest), at, count)
            if self._scanned_generation != self.generation:
                raise LedgerAway("the tree was not scanned yet")
            found += page
            if len(page) < _PAGE:
                return frozenset(map(scripts.read_holder, found))

    @deferred
    async def stored(self) -> int:
        """Fire with the bytes of all content, of all nodes."""
        await self.flush()
        (found,) = await self._run(accounts.STORED)
        return int(found)

    @deferred
    async def coldest(self, after: Stored | None, limit: int) -> list[Stored]:
        """Fire with a page of the blobs that were not used for longest, at most 120."""
        await self.flush()
        last = ("-1", "") if after is None else (repr(after.last_use), after.reference)
        count = str(min(limit, _PAGE))
        return scripts.read_stored(await self._run(accounts.COLDEST, *last, count))

    @deferred
    async def held(self, digest: Digest) -> list[Entry]:
        """Fire with the entries of some content."""
        await self.flush()
        found: list[Entry] = []
        while True:
            at, count = str(len(found)), str(_PAGE)
            words = await self._run(accounts.HELD, str(digest), at, count)
            found += _entries(words)
            if len(words) < 3 * _PAGE:
                return found

    @deferred
    async def contents(self, after: str, limit: int) -> list[Stored]:
        """Fire with a page of all content, by digest, at most 120."""
        await self.flush()
        count = str(min(limit, _PAGE))
        return scripts.read_stored(await self._run(accounts.CONTENTS, after, count))

    @deferred
    async def measured(self, sizes: Mapping[str, int], before: float) -> None:
        """Correct sizes of content that was not used since a time."""
        rest = iter([(reference, str(size)) for reference, size in sizes.items()])
        while some := list(islice(rest, _OPERATIONS)):
            words = [word for pair in some for word in pair]
            await self._run(accounts.MEASURED, repr(before), *words)

    @deferred
    async def confirmed_at(self, key: EntryKey, what: str) -> float | None:
        """Fire with when the upstream last confirmed something, as far as is known."""
        if key in self._batch.confirmed:
            at, was = self._batch.confirmed[key]
            return at if was == what else None
        if key in self._batch.forgotten:
            return None
        try:
            words = await self._run(scripts.CONFIRMED, member(key))
        except LedgerAway:
            return None
        return scripts.read_confirmation(words, what)

    @deferred
    async def restore(self, entries: Sequence[Entry]) -> None:
        """Record entries that are not known yet; asks redis also without any."""
        if not entries:
            await self._run(scripts.WRITE, again=True)
        await self._write(scripts.restoring(entries))

    def scanned(self, generation: int) -> None:
        """Believe in what is recorded."""
        self._scanned_generation = generation

    @deferred
    async def entries(self) -> list[Entry]:
        """Fire with everything; what moves meanwhile may be missing."""
        await self.flush()
        found: dict[EntryKey, Entry] = {}
        at, page = 0, [""] * _PAGE
        while len(page) >= _PAGE:
            words = await self._run(scripts.PAGE, str(at), str(at + _PAGE - 1))
            page = words[::3]
            found.update((entry.key, entry) for entry in _entries(words))
            at += _PAGE
        return list(found.values())

    @deferred
    async def find(self, key: EntryKey) -> Entry | None:
        """Fire with what is recorded of one thing."""
        await self.flush()
        found = _entries(await self._run(scripts.FIND, member(key)))
        return found[0] if found else None

    def flush(self) -> Deferred[None]:
        """Write what waits."""
        return self._writing.run(self._flush)

    @deferred
    async def close(self) -> None:
        """Write what waits, once more."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await self.flush()

    def _write_soon(self) -> None:
        if len(self._batch) > MAX_WAITING:
            self._give_up_batch()
        if self._timer is None and not self._closed:
            self._timer = self._clock.callLater(WRITE_SECONDS, self._write_waiting)

    def _give_up_batch(self) -> None:
        self._batch, self._lost_some = Batch(), True
        self._log.warn(
            "redis is down for too long: the tree is scanned when it is back"
        )

    @background("ledger")
    @deferred
    async def _write_waiting(self) -> None:
        self._timer = None
        try:
            await self.flush()
        except LedgerAway:
            # The client of redis has said so.
            if self._timer is None and not self._closed:
                self._timer = self._clock.callLater(RETRY_SECONDS, self._write_waiting)

    @deferred
    async def _flush(self) -> None:
        batch, self._batch = self._batch, Batch()
        try:
            await self._write(scripts.operations(batch))
        except BaseException:
            # Another node may add it before this is written. What is not there, but
            # recorded, goes when it is due.
            batch.forgotten.clear()
            batch.before(self._batch)
            self._batch = batch
            raise
        if self._lost_some:
            self._lost_some = False
            self._lose()

    @deferred
    async def _write(self, operations: Iterable[Words]) -> None:
        rest = iter(operations)
        while some := list(islice(rest, _OPERATIONS)):
            words = [word for operation in some for word in operation]
            await self._run(scripts.WRITE, *words, again=True)

    @deferred
    async def _run(self, script: str, *words: str, again: bool = False) -> list[Any]:
        """Run a script; fire with its answer.

        :param again: it may run in a new epoch: it only adds records.
        """
        if not self._epoch:
            await self._adopt()
        answer: list[Any] = await self._ask(script, self._epoch, *words)
        if answer[:1] == [scripts.LOST]:
            await self._adopt()
            self._lose()
            self._log.warn(
                "redis has lost records, or was restarted: the tree is scanned again"
            )
            if again:
                answer = await self._ask(script, self._epoch, *words)
        if answer[:1] != [scripts.DONE]:
            raise LedgerAway("redis has lost the ledger")
        return answer[1:]

    def _lose(self) -> None:
        self.generation += 1

    @deferred
    async def _adopt(self) -> None:
        """Learn the epoch; begin one if there is none."""
        new = str(uuid.uuid4())
        found = await self._ask(scripts.ADOPT, new)
        self._epoch = str(found)

    @deferred
    async def _ask(self, script: str, *words: str) -> Any:
        try:
            return await self._redis.ask(
                lambda redis: redis.eval(script, scripts.KEYS, list(words))
            )
        except RedisAway as error:
            raise LedgerAway("redis does not answer") from error


def _entries(words: list[Any]) -> list[Entry]:
    try:
        return scripts.read_entries(words)
    except ValueError as error:
        _log.warn("redis holds no ledger of ours: {error}", error=str(error))
        raise LedgerAway("redis holds no ledger of ours") from error
