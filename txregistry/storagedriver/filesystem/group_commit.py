"""Commit changes in order; those that wait share one sync."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from txregistry.flow.context import background
from txregistry.flow.deferred import deferred
from txregistry.flow.disk import Disk
from txregistry.interfaces.driver import Change, MoveFile, PutFile
from txregistry.storagedriver.filesystem.atomic import apply_changes, located
from txregistry.storagedriver.filesystem.journal.journal import Journal, Work

#: Bytes; larger content is not written twice but made durable by itself.
JOURNALED_BYTES = 128 * 1024

#: Bytes of content up to which waiting changes are committed together.
_BATCH_BYTES = 1024 * 1024


@attrs.define(eq=False)
class Commits:
    """A queue of changes in front of a journal; see Note [Written down first].

    :param root: the real directory under which the paths of all changes are.
    """

    _root: str
    _disk: Disk
    _journal: Journal
    _waiting: list[tuple[Work, Deferred[None]]] = attrs.field(factory=list)
    _busy: bool = False
    _settling: bool = False
    _overdue: bool = False
    _log = Logger()

    def apply(self, changes: Sequence[Change]) -> Deferred[None]:
        """Make changes durably and in order; fails with ``OSError``."""
        small = [change for change in changes if not isinstance(change, MoveFile)]
        if len(small) < len(changes) or _content_bytes(small) > JOURNALED_BYTES:
            return self._apply_apart(changes)
        return self.commit(small)

    def commit(self, work: Work) -> Deferred[None]:
        """Make steps, once they are journaled; fails with ``OSError``."""
        # Cancelling only stops the wait: the steps are made anyway.
        done: Deferred[None] = Deferred()
        self._waiting.append((work, done))
        if not self._busy:
            self._next()
        return done

    @deferred
    async def checkpoint(self) -> None:
        """Settle all records so far; fails with ``OSError``."""
        await self._disk.run(self._journal.turn)
        await self._disk.run(self._journal.settle)

    @deferred
    async def close(self) -> None:
        """Settle all and remove the journal; fails with ``OSError``."""
        if self._busy:
            await self.commit([])
        await self._disk.run(self._journal.close)

    def _apply_apart(self, changes: Sequence[Change]) -> Deferred[None]:
        return self._disk.run(self._make_apart, changes)

    def _make_apart(self, changes: Sequence[Change]) -> None:
        self._journal.forget(_places(changes))
        apply_changes([located(change, self._root) for change in changes], self._root)

    def _next(self) -> None:
        self._busy = bool(self._waiting)
        if not self._busy:
            return
        batch = self._take()
        waiters = [waiter for _, waiter in batch]
        made = self._disk.run(self._journal.commit, [work for work, _ in batch])
        has_failed: Deferred[bool] = made.addCallbacks(
            _answer, _fail, callbackArgs=(waiters,), errbackArgs=(waiters,)
        )
        has_failed.addCallback(self._settle_if_need_be)
        has_failed.addCallback(lambda _: self._next())

    def _settle_if_need_be(self, has_failed: bool) -> None:
        # The next start must not make a step that failed.
        self._overdue = self._overdue or has_failed
        if not self._settling and (self._overdue or self._journal.is_behind):
            self._settling = True
            self._settle()

    @background("journal")
    @deferred
    async def _settle(self) -> None:
        overdue, self._overdue = self._overdue, False
        with self._log.failuresHandled("the file system cannot write everything"):
            if overdue:
                await self.checkpoint()
            else:
                await self._disk.run(self._journal.settle)
        self._settling = False
        if self._overdue:
            self._settle_if_need_be(True)

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
    """Give the paths at which files were created."""
    places = []
    for change in changes:
        if isinstance(change, MoveFile):
            places.append(change.destination)
        elif isinstance(change, PutFile):
            places.append(change.path)
    return places


def _answer(outcomes: list[OSError | None], waiters: list[Deferred[None]]) -> bool:
    """Fire each waiter with the result of its change; give whether one failed."""
    for outcome, waiter in zip(outcomes, waiters, strict=True):
        if outcome is None:
            waiter.callback(None)
        else:
            waiter.errback(outcome)
    return any(outcomes)


def _fail(failure: Failure, waiters: list[Deferred[None]]) -> bool:
    for waiter in waiters:
        waiter.errback(failure)
    return True
