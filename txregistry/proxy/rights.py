"""Whether the upstream still permits access to cached content (``proxy.recheck``).

Content of a digest never changes, so by default it is requested only once. But access
can be revoked: if ``proxy.recheck`` is set, the upstream is asked again after that
time. If it refuses, the client is refused. While it cannot be reached, stored content
is served as stale.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from txregistry.flow.deferred import deferred
from txregistry.flow.flights import Flights
from txregistry.flow.sized import SizedCache, size_of
from txregistry.interfaces.expiry import EntryKey, ITagMemory
from txregistry.interfaces.provenance import current_status
from txregistry.spec.errors import RegistryError
from txregistry.spec.onerror import ErrorPolicy

#: Bytes of memory for recent confirmations; the ledger has the rest.
MAX_BYTES = 8 * 1024 * 1024


@attrs.define(eq=False)
class Rights:
    """When the upstream last permitted access, by repository and digest.

    :param seconds: after which it is asked again; 0 for never.
    :param upstream: which one is meant.
    :param errors: which errors of the upstream refuse nothing.
    """

    _seconds: float
    _memory: ITagMemory
    _clock: IReactorTime
    _upstream: str = ""
    _errors: ErrorPolicy = ErrorPolicy()
    _granted: SizedCache[EntryKey, float] = attrs.field(
        factory=lambda: SizedCache(MAX_BYTES)
    )
    _checks: Flights[EntryKey, Any] = attrs.field(factory=Flights)

    def record(self, key: EntryKey) -> None:
        """Record that the upstream has just permitted access to content."""
        if self._seconds:
            now = self._clock.seconds()
            self._memory.confirm(key, now, self._upstream)
            self._remember(key, now)

    def is_recent(self, key: EntryKey) -> bool:
        """Return whether access was confirmed recently, as far as memory knows."""
        if not self._seconds:
            return True
        granted_at = self._granted.get(key)
        return granted_at is not None and self._is_recent(granted_at)

    @deferred
    async def check(self, key: EntryKey, confirm: Callable[[], Deferred[Any]]) -> bool:
        """Ask the upstream whether access is permitted, unless the ledger knows.

        :param confirm: asks the upstream; fails if it refuses.
        :return: fires with true if access is permitted, with false in an outage, in
            which content is served as stale. Fails as ``confirm``.
        """
        granted_at = await self._memory.confirmed_at(key=key, what=self._upstream)
        if granted_at is not None and self._is_recent(granted_at):
            self._remember(key, granted_at)
            return True
        try:
            await self._checks.join(key, confirm)
        except RegistryError as error:
            if not self._errors.serves_stale(error):
                raise
            self._mark_stale(error, granted_at)
            return False
        self.record(key)
        return True

    def _is_recent(self, granted_at: float) -> bool:
        # A clock that goes wrong, here or at another node, permits nothing for longer.
        return 0 <= self._clock.seconds() - granted_at < self._seconds

    def _remember(self, key: EntryKey, granted_at: float) -> None:
        self._granted.put(key, granted_at, size_of(str(key.repository), key.reference))

    def _mark_stale(self, error: RegistryError, granted_at: float | None) -> None:
        status, now = current_status(), self._clock.seconds()
        status.hit, status.forward = True, "stale"
        status.stale_seconds = (
            now - granted_at if granted_at is not None else self._seconds
        )
        status.detail = error.code.lower()
