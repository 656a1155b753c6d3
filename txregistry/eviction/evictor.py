"""Delete one blob from all repositories; their manifests and tags stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from txregistry.flow.deferred import deferred, shielded
from txregistry.interfaces.blobs import IBlobDeleter, IContent
from txregistry.interfaces.expiry import Entry, ILedger, Kind, Stored
from txregistry.interfaces.namespace import INamespace
from txregistry.interfaces.observe import Count, IMeter
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobUnknown
from txregistry.spec.reference import RepositoryName

#: Gives what counts for the upstream of a repository.
MeterOf = Callable[[RepositoryName], IMeter]


@attrs.define(eq=False)
class Evictor:
    """Makes room by one blob at a time.

    Works on the storage itself, so what clients may delete does not matter.

    :ivar meter_of: gives what counts for a repository.
    """

    _namespace: INamespace
    _content: IContent
    _ledger: ILedger
    meter_of: MeterOf
    _log = Logger()

    def evict(self, stored: Stored) -> Deferred[int]:
        """Delete a blob unless it was used since it was looked at.

        :return: fires with the bytes that are free now. Fails with a ``DriverError``,
            or as the ledger does; what was not deleted is recorded again. Cancelling
            only stops the wait: half of it would leave content that nobody counts.
        """
        return shielded(self._evict(stored), self._tell)

    def _tell(self, failure: Failure) -> None:
        self._log.failure("could not delete a blob", failure)

    async def _evict(self, stored: Stored) -> int:
        digest = Digest.parse(stored.reference)
        entries: list[Entry] = await self._ledger.held(digest=digest)
        if not all(_is_as_seen(entry, stored) for entry in entries):
            return 0
        for entry in entries:
            if not await self._ledger.claim(entry=entry):
                return 0  # used since: the repositories before have to ask for it
            await self._unlink(entry, digest)
        try:
            is_gone = await self._content.collect(digest=digest)
        except BaseException:
            self._keep(entries)
            raise
        if not is_gone:
            self._keep(entries)
            return 0
        self._count(entries, stored.size)
        self._log.debug(
            "{digest} has made room: {size} bytes",
            digest=str(digest),
            size=stored.size,
            activity=True,
        )
        return stored.size

    @deferred
    async def _unlink(self, entry: Entry, digest: Digest) -> None:
        try:
            repository = await self._namespace.repository(entry.key.repository)
            await cast(IBlobDeleter, repository.blobs).delete(digest=digest)
        except BlobUnknown:
            pass  # already unlinked; its content may be left
        except BaseException:
            self._ledger.add(entry)
            raise
        await self._ledger.finish(entry=entry)

    def _keep(self, entries: list[Entry]) -> None:
        # A read has begun, or another repository has linked it. Whoever holds it is
        # recorded; if nobody is, it goes the next time.
        for entry in entries[:1]:
            self._ledger.add(entry)

    def _count(self, entries: list[Entry], size: int) -> None:
        for entry in entries[:1]:
            meter = self.meter_of(entry.key.repository)
            meter.count(Count.MADE_ROOM, "blob")
            meter.count(Count.MADE_ROOM_BYTES, "blob", size)


def _is_as_seen(entry: Entry, stored: Stored) -> bool:
    return entry.key.kind is Kind.BLOB and entry.last_use <= stored.last_use
