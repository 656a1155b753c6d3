"""Bring changes to the disk in order, those that wait together with one sync."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from txregistry.flow.deferred import deferred
from txregistry.flow.disk import Disk
from txregistry.interfaces.driver import Change, MoveFile, PutFile
from txregistry.storagedriver.changes import apply_changes, located
from txregistry.storagedriver.journal import Journal, Work
from txregistry.storagedriver.records import Settled

#: More content than this is not written twice: it is made durable by itself.
JOURNALED_BYTES = 128 * 1024

#: Changes that wait are committed together up to this much content.
_BATCH_BYTES = 1024 * 1024


@attrs.define(eq=False)
class Commits:
    """A queue of changes before a journal; see Note [Written down first].

    :param root: the real directory under which the paths of all changes are.
    """

    _root: str
    _disk: Disk
    _journal: Journal
    _waiting: list[tuple[Work, Deferred[None]]] = attrs.field(factory=list)
    _busy: bool = False
    _settling: bool = False
    _log = Logger()

    def apply(self, changes: Sequence[Change]) -> Deferred[None]:
        """Make changes durably and in order; fails with ``OSError``."""
        small = [change for change in changes if not isinstance(change, MoveFile)]
        if len(small) < len(changes) or _content_bytes(small) > JOURNALED_BYTES:
            return self._apply_apart(changes)
        return self.commit(small)

    def commit(self, work: Work) -> Deferred[None]:
        """Make steps, once they are written down; fails with ``OSError``."""
        # Cancelling only stops waiting: the steps are made all the same.
        done: Deferred[None] = Deferred()
        self._waiting.append((work, done))
        if not self._busy:
            self._next()
        return done

    @deferred
    async def checkpoint(self) -> None:
        """Settle what was written down so far; fails with ``OSError``."""
        await self._disk.run(self._journal.turn)
        await self._disk.run(self._journal.settle)

    @deferred
    async def close(self) -> None:
        """Settle all and leave no journal; nothing may be asked for afterwards."""
        if self._busy:
            await self.commit([])
        await self._disk.run(self._journal.close)

    def _apply_apart(self, changes: Sequence[Change]) -> Deferred[None]:
        # In one job: what was made has to be told to the journal, whoever waits.
        return self._disk.run(self._make_apart, changes)

    def _make_apart(self, changes: Sequence[Change]) -> None:
        try:
            real = [located(change, self._root) for change in changes]
            apply_changes(real, self._root)
        except OSError:
            with suppress(OSError):  # the first failure says more
                self._journal.turn()
                self._journal.settle()
            raise
        self._journal.commit([[Settled(path) for path in _places(changes)]])

    def _next(self) -> None:
        self._busy = bool(self._waiting)
        if not self._busy:
            return
        batch = self._take()
        done = self._disk.run(self._journal.commit, [work for work, _ in batch])
        waiters = [waiter for _, waiter in batch]
        done.addCallbacks(
            _answer, _fail, callbackArgs=(waiters,), errbackArgs=(waiters,)
        )
        done.addCallback(lambda _: self._settle_if_behind())
        done.addCallback(lambda _: self._next())

    def _settle_if_behind(self) -> None:
        if self._journal.is_behind and not self._settling:
            self._settling = True
            self._settle()

    @deferred
    async def _settle(self) -> None:
        with self._log.failuresHandled("the file system cannot write everything"):
            await self._disk.run(self._journal.settle)
        self._settling = False

    def _take(self) -> list[tuple[Work, Deferred[None]]]:
        size = count = 0
        for work, _ in self._waiting:
            size += _content_bytes(work)
            count += 1
            if size >= _BATCH_BYTES:
                break
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch


def _content_bytes(work: Sequence[object]) -> int:
    return sum(len(step.content) for step in work if isinstance(step, PutFile))


def _places(changes: Sequence[Change]) -> list[str]:
    """Give the paths at which files have come to be."""
    places = []
    for change in changes:
        if isinstance(change, MoveFile):
            places.append(change.destination)
        elif isinstance(change, PutFile):
            places.append(change.path)
    return places


def _answer(outcomes: list[OSError | None], waiters: list[Deferred[None]]) -> None:
    for outcome, waiter in zip(outcomes, waiters, strict=True):
        if outcome is None:
            waiter.callback(None)
        else:
            waiter.errback(outcome)


def _fail(failure: Failure, waiters: list[Deferred[None]]) -> None:
    for waiter in waiters:
        waiter.errback(failure)
