"""The addresses of AWS, from a list that is read now and then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from treq.client import HTTPClient
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from txregistry.flow.context import background
from txregistry.flow.deferred import deferred
from txregistry.middleware.download import fetch
from txregistry.middleware.ranges import AddressRanges, read_ranges

#: Bytes of the list; it had 2 MiB in 2025.
MAX_BYTES = 16 * 1024 * 1024

#: Seconds in which it has to be there.
SECONDS = 60.0

#: Seconds to the next try after one that failed, at most.
_RETRY_SECONDS = 300.0


@attrs.define(eq=False, slots=False)
class AwsAddresses(Service):
    """Knows the addresses of AWS; none until the list was read.

    A list that cannot be read leaves the one before in force.

    :param regions: whose addresses count, in lower case; empty for all.
    :param seconds: from one read to the next.
    :param run: runs a function that takes a while.
    """

    _url: str
    _regions: frozenset[str]
    _seconds: float
    _client: HTTPClient
    _clock: IReactorTime
    _run: Callable[..., Deferred[Any]]
    _ranges: AddressRanges = attrs.field(factory=AddressRanges)
    _reading: Deferred[None] | None = None
    _next: IDelayedCall | None = None
    _log = Logger(namespace="txregistry.middleware")

    def __contains__(self, address: object) -> bool:
        """Tell if an address is one of those."""
        return address in self._ranges

    def startService(self) -> None:
        """Begin to read; nobody waits for it."""
        super().startService()
        self._begin()

    def stopService(self) -> None:
        """Stop reading."""
        super().stopService()
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if self._reading is not None:
            self._reading.cancel()

    @background("addresses of AWS")
    def _begin(self) -> None:
        self._next = None
        self._reading = self._read()

    @deferred
    async def _read(self) -> None:
        try:
            body = await fetch(self._client, self._url, MAX_BYTES, SECONDS, self._clock)
            self._ranges = await self._run(read_ranges, body, self._regions)
            wait = self._seconds
        except Exception as error:
            self._tell(error)
            wait = min(self._seconds, _RETRY_SECONDS)
        self._reading = None
        if self.running:
            self._next = self._clock.callLater(wait, self._begin)

    def _tell(self, error: Exception) -> None:
        if self.running:
            self._log.warn(
                "middleware cloudfront: the addresses of AWS at {url} were not read,"
                " {count} ranges stay: {error}",
                url=self._url,
                count=len(self._ranges),
                error=str(error) or type(error).__name__,
            )
