"""What belongs to pinned images, as it was looked up lately."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import attrs
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.eviction.closure import Called, Closure, NeededContent
from txregistry.flow.deferred import deferred
from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.eviction import IPinList, IPinned
from txregistry.spec.digest import Digest
from txregistry.spec.errors import RegistryError
from txregistry.spec.images import ImagePattern

#: Seconds for which what was found is believed: what a pinned image needs changes when
#: it is pulled, and what was used since is looked up before it goes.
MAX_AGE_SECONDS = 60.0


@implementer(IPinned)
@attrs.define(eq=False)
class PinnedImages:
    """Those of the configuration, and those that an administrator has pinned.

    :ivar since: when it was looked last; before all time if never.
    """

    _closure: Closure
    _list: IPinList
    _clock: IReactorTime
    _configured: Sequence[ImagePattern] = ()
    since: float = -inf
    _needed: NeededContent = attrs.field(factory=NeededContent)
    _turn: DeferredLock = attrs.field(factory=DeferredLock)
    _log = Logger()

    def follow(self, patterns: Sequence[ImagePattern], called: Called) -> None:
        """Use other patterns of the configuration, from the next look on.

        :param called: gives the names of a stored repository.
        """
        self._configured = patterns
        self._closure.follow(called)
        self.changed()

    def changed(self) -> None:
        """Look again before anything else is judged: the pins have changed."""
        self.since = -inf

    def renew(self, now: bool = False) -> Deferred[None]:
        """Look at the images again, unless that was done within a minute."""
        asked_at = self._clock.seconds()
        return self._turn.run(lambda: self._renew(now, asked_at))

    def holds(self, reference: str) -> bool:
        """Tell whether content belongs to a pinned image."""
        return self._needed.has(Digest.parse(reference))

    def holds_tag(self, name: str, tag: str) -> bool:
        """Tell whether the tag of a repository is pinned."""
        return self._needed.has_tag(name, tag)

    @deferred
    async def _renew(self, now: bool, asked_at: float) -> None:
        """Look, unless somebody else did after we had asked."""
        since = self.since
        age = self._clock.seconds() - since
        if 0 <= age < MAX_AGE_SECONDS and (not now or since > asked_at):
            return
        began = self._clock.seconds()
        try:
            self._needed = await self._closure.of(await self._patterns())
        except (DriverError, RegistryError) as error:
            if since == -inf:
                raise
            self._log.warn("pins are as they were: {error}", error=str(error))
        self.since = began

    @deferred
    async def _patterns(self) -> list[ImagePattern]:
        listed = [ImagePattern.parse(text) for text in await self._list.patterns()]
        return [*self._configured, *listed]
