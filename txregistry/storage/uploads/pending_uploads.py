"""Uploads that have just begun, and exist only in memory yet.

Most of them are a blob a moment later: to make, read and remove a directory for each
costs more than all other work on it. The others are written to disk after a second, or
when they have something to keep.

A process that is killed loses the uploads it holds. A client can resume such an upload
all the same: the sealed state in its URL proves that it began.
"""

from __future__ import annotations

import re

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from txregistry.flow.context import background
from txregistry.flow.deferred import deferred
from txregistry.flow.flights import Flights
from txregistry.flow.rfc3339 import write_time
from txregistry.flow.turns import Turns
from txregistry.interfaces.driver import IStorageDriver
from txregistry.spec.reference import RepositoryName
from txregistry.storage.tree import layout

#: Identifies an upload in the whole store.
UploadKey = tuple[RepositoryName, str]

#: Seconds for which an upload may exist in memory only.
HELD_SECONDS = 1.0

#: How long before our start a lost upload may have begun: a killed process takes a
#: while to come back. An upload that cannot be written is held no longer either.
LOST_SECONDS = 60.0

#: Beyond this many, an upload is written as soon as it begins.
MAX_HELD = 1000

#: Names that every storage takes. Others are written at once, so that the client hears
#: of a failure.
_PLAIN = re.compile(r"[A-Za-z0-9._/-]{1,255}", re.ASCII)

#: Uploads that are written before other work gets its turn.
_PER_TURN = 16


@attrs.define(eq=False, slots=False)
class PendingUploads(Service):
    """Holds uploads until they are written to disk, or end.

    :param held_seconds: 0 where other processes take uploads for the same storage.
    """

    _driver: IStorageDriver
    _clock: IReactorTime
    _held_seconds: float = HELD_SECONDS
    _held: dict[UploadKey, float] = attrs.field(factory=dict)
    _since: float = attrs.field(init=False)
    _writing: Flights[UploadKey, None] = attrs.field(factory=Flights)
    _ours: set[UploadKey] = attrs.field(factory=set)
    _timer: IDelayedCall | None = None
    _stopped: bool = False
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._since = self._clock.seconds()

    @background("uploads")
    @deferred
    async def stopService(self) -> None:
        """Write all to disk: the next process resumes them."""
        super().stopService()
        self._stopped = True
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
        await self._write_all()

    def begin(self, key: UploadKey, started_at: float) -> Deferred[None]:
        """Hold or write a new upload; fails with ``DriverError`` from a write."""
        self._remember(key, started_at)
        self._held[key] = started_at
        if not self._may_hold(key):
            return self.write(key).addErrback(self._not_begun, key)
        self._wait()
        return succeed(None)

    def started_at(self, key: UploadKey) -> float | None:
        """Tell when a held upload began, in seconds since the epoch."""
        return self._held.get(key)

    @deferred
    async def revive(self, key: UploadKey, started_at: float) -> bool:
        """Hold an upload that an earlier process may have lost when it was killed.

        :param started_at: the second in which it began.
        :return: fires with whether that is possible, once for each upload; fails as
            :meth:`begin` does.
        """
        if not self._held_seconds or not self._is_lost(started_at):
            return False
        if key in self._ours:
            return False  # it has ended since
        await self.begin(key, started_at)
        return True

    def write(self, key: UploadKey) -> Deferred[None]:
        """Make sure that an upload is written; fails with ``DriverError``."""
        if key not in self._held:
            return succeed(None)
        return self._writing.join(key, lambda: self._write(key))

    @deferred
    async def keep(self, key: UploadKey, started_at: float) -> None:
        """Write an upload durably, before bytes in it are acknowledged.

        :return: fires when it outlives a power failure; fails with ``DriverError``.
        """
        if self._writing.is_under_way(key):
            await self.write(key)
        await self._put(key, started_at, durable=True)
        self._held.pop(key, None)

    @deferred
    async def drop(self, key: UploadKey, started_at: float) -> bool:
        """Drop an upload that ends; fires with whether it existed only in memory.

        :param started_at: the second in which it began.
        """
        self._remember(key, started_at)
        if self._writing.is_under_way(key):
            await self.write(key)
        return self._held.pop(key, None) is not None

    @deferred
    async def _write(self, key: UploadKey) -> None:
        await self._put(key, self._held[key], durable=False)
        self._held.pop(key, None)

    def _put(self, key: UploadKey, started_at: float, durable: bool) -> Deferred[None]:
        content = write_time(started_at).encode("ascii")
        path = layout.upload_started_at(*key)
        return self._driver.put(path=path, content=content, durable=durable)

    def _may_hold(self, key: UploadKey) -> bool:
        return bool(
            self._held_seconds
            and len(self._held) <= MAX_HELD
            and _PLAIN.fullmatch(str(key[0]))
        )

    def _is_lost(self, started_at: float) -> bool:
        return 0 <= self._since - started_at <= LOST_SECONDS

    def _remember(self, key: UploadKey, started_at: float) -> None:
        """Remember an own upload that seems to have begun before our start."""
        if self._is_lost(started_at):
            self._ours.add(key)

    def _not_begun(self, failure: Failure, key: UploadKey) -> Failure:
        self._held.pop(key, None)
        self._ours.discard(key)
        return failure

    def _wait(self) -> None:
        if self._timer is None and not self._stopped:
            self._timer = self._clock.callLater(self._held_seconds, self._elapsed)

    @background("uploads")
    @deferred
    async def _elapsed(self) -> None:
        try:
            await self._write_all()
        finally:
            self._timer = None
            if self._held:
                self._wait()

    @deferred
    async def _write_all(self) -> None:
        failed: list[Exception] = []
        turns = Turns(self._clock, _PER_TURN)
        for key in list(self._held):
            try:
                await self.write(key)
            except Exception as error:
                # An error of one upload does not prevent the others from being written.
                failed.append(error)
                self._give_up_if_old(key)
            await turns.take()
        if failed:
            self._log.error(
                "{count} uploads cannot be written down yet, the last for: {error}",
                count=len(failed),
                error=failed[-1],
            )

    def _give_up_if_old(self, key: UploadKey) -> None:
        if self._clock.seconds() - self._held.get(key, 0.0) > LOST_SECONDS:
            self._held.pop(key, None)
