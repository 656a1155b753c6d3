"""Uploads that have begun a moment ago, and are nowhere but in memory yet.

Most of them are a blob a moment later: to make a directory for them, look into it and
take it away costs more than all that is left of them. Those that are not are written
down after a second, or when there is something to be kept of them.

A process that is killed loses what it holds. Whoever was told that an upload has begun
can go on with it all the same: the state in its URL, which we have sealed, says so.
"""

from __future__ import annotations

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from txregistry.flow.deferred import Flights, deferred
from txregistry.flow.rfc3339 import write_time
from txregistry.interfaces.driver import IStorageDriver
from txregistry.spec.reference import RepositoryName
from txregistry.storage import layout

#: Names an upload in all of the store.
UploadKey = tuple[RepositoryName, str]

#: How long an upload may be known to this process alone.
HELD_SECONDS = 1.0

#: How long before our start an upload that we lost may have begun: a process that was
#: killed takes a while to come back.
LOST_SECONDS = 60.0

#: Beyond this many, one is written down as soon as it begins.
MAX_HELD = 1000

#: Uploads that are written down before others get their turn.
_PER_TURN = 16


@attrs.define(eq=False, slots=False)
class Beginnings(Service):
    """Holds uploads until they are written down, or gone.

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
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._since = self._clock.seconds()

    @deferred
    async def stopService(self) -> None:
        """Write all down: whoever starts next goes on with them."""
        super().stopService()
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
        await self._write_all()

    def begin(self, key: UploadKey, started_at: float) -> Deferred[None]:
        """Have a new upload; fails with ``DriverError`` if it is to be written."""
        if started_at <= self._since:
            # It began in the second in which we did, or was revived.
            self._ours.add(key)
        self._held[key] = started_at
        if not self._held_seconds or len(self._held) > MAX_HELD:
            return self.write(key).addErrback(self._not_begun, key)
        self._wait()
        return succeed(None)

    def started_at(self, key: UploadKey) -> float | None:
        """Tell when one that is held has begun, in seconds since the epoch."""
        return self._held.get(key)

    @deferred
    async def revive(self, key: UploadKey, started_at: float) -> bool:
        """Have an upload that a process before ours may have been killed holding.

        :param started_at: in which second it has begun.
        :return: fires with whether it may be so, once for each upload; fails as
            :meth:`begin` does.
        """
        ago = self._since - started_at
        if not self._held_seconds or not 0 <= ago <= LOST_SECONDS:
            return False
        if key in self._ours:
            return False  # it has ended since
        await self.begin(key, started_at)
        return True

    def write(self, key: UploadKey) -> Deferred[None]:
        """See to it that an upload is written down; fails with ``DriverError``."""
        if key not in self._held:
            return succeed(None)
        return self._writing.join(key, lambda: self._write(key))

    @deferred
    async def drop(self, key: UploadKey) -> bool:
        """Let go of an upload; fires with whether that was all there was of it."""
        if self._writing.is_under_way(key):
            await self.write(key)
        return self._held.pop(key, None) is not None

    @deferred
    async def _write(self, key: UploadKey) -> None:
        content = write_time(self._held[key]).encode("ascii")
        path = layout.upload_started_at(*key)
        await self._driver.put(path=path, content=content, durable=False)
        del self._held[key]

    def _not_begun(self, failure: Failure, key: UploadKey) -> Failure:
        self._held.pop(key, None)
        return failure

    def _wait(self) -> None:
        if self._timer is None:
            self._timer = self._clock.callLater(self._held_seconds, self._elapsed)

    @deferred
    async def _elapsed(self) -> None:
        with self._log.failuresHandled("uploads cannot be written down yet"):
            await self._write_all()
        self._timer = None
        if self._held:
            self._wait()

    @deferred
    async def _write_all(self) -> None:
        for count, key in enumerate(list(self._held), 1):
            await self.write(key)
            if count % _PER_TURN == 0:
                await deferLater(self._clock, 0)
