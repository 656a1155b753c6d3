"""Whether the upstream still lets a repository have what is cached (``proxy.recheck``).

Content that is cached by its digest never changes, and by default is never asked for
again. But a right can be revoked: where that matters, the upstream is asked at an
interval whether it still gives the content. What it refuses is refused; while it cannot
be reached, stored content is served, as stale.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from txregistry.flow.deferred import Flights, deferred
from txregistry.flow.sized import SizedCache, size_of
from txregistry.interfaces.expiry import EntryKey, ITagMemory
from txregistry.interfaces.provenance import current_status
from txregistry.proxy.outage import is_outage
from txregistry.spec.errors import RegistryError

#: Bytes of memory for recent confirmations; the ledger has the rest.
MAX_BYTES = 8 * 1024 * 1024


@attrs.define(eq=False)
class Rights:
    """When the upstream last granted stored content, by repository and digest.

    :param seconds: after which it is asked again; 0 for never.
    """

    _seconds: float
    _memory: ITagMemory
    _clock: IReactorTime
    _given: SizedCache[EntryKey, float] = attrs.field(
        factory=lambda: SizedCache(MAX_BYTES)
    )
    _asking: Flights[EntryKey, Any] = attrs.field(factory=Flights)

    def given(self, key: EntryKey) -> None:
        """Record that the upstream has just sent content, or would send it."""
        if self._seconds:
            now = self._clock.seconds()
            self._memory.confirm(key, now)
            self._remember(key, now)

    def are_certain(self, key: EntryKey) -> bool:
        """Tell whether the upstream need not be asked."""
        if not self._seconds:
            return True
        given = self._given.get(key)
        return given is not None and self._is_recent(given)

    @deferred
    async def ask(self, key: EntryKey, confirm: Callable[[], Deferred[Any]]) -> None:
        """Ask whether it still gives content, unless the ledger knows; fail if not.

        :param confirm: asks; fails as the upstream does.
        """
        given = await self._memory.confirmed_at(key=key)
        if given is not None and self._is_recent(given):
            self._remember(key, given)
            return
        try:
            await self._asking.join(key, confirm)
        except RegistryError as error:
            if not is_outage(error):
                raise
            self._mark_stale(error, given)
            return
        self.given(key)

    def _is_recent(self, given: float) -> bool:
        return self._clock.seconds() - given < self._seconds

    def _remember(self, key: EntryKey, given: float) -> None:
        self._given.put(key, given, size_of(str(key.repository), key.reference))

    def _mark_stale(self, error: RegistryError, given: float | None) -> None:
        status, now = current_status(), self._clock.seconds()
        status.hit, status.forward = True, "stale"
        status.stale_seconds = now - given if given is not None else self._seconds
        status.detail = error.code.lower()
