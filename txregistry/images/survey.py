"""How many of all tags would pull with the link down."""

from __future__ import annotations

from collections.abc import AsyncIterator

import attrs
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.flow.context import background
from txregistry.flow.deferred import deferred
from txregistry.flow.turns import Turns
from txregistry.interfaces.images import IImages
from txregistry.interfaces.namespace import INamespace, IRepository
from txregistry.interfaces.readiness import IReadinessSurvey, Lacking, Readiness
from txregistry.interfaces.tags import Tags
from txregistry.spec.errors import NameUnknown
from txregistry.spec.imagename import ImageName
from txregistry.spec.reference import Tag

#: Names and tags that are listed at once, and tags that are told of by name.
_PAGE, MAX_LACKING = 500, 100

#: Seconds after which a look is old, at least.
_LEAST_AGE = 15.0

#: Seconds of work that are done at once, as a thousand tags need; what is more, and all
#: further looks, take this share of a core.
BURST_SECONDS, SHARE = 2.0, 0.005

#: Tags after which it is seen whether to wait.
_BATCH = 20


@implementer(IReadinessSurvey)
@attrs.define(eq=False, slots=False)
class ReadinessSurvey(Service):
    """Looks at all tags while somebody asks, and not otherwise.

    :param clock: shows the time of day.
    :param turns: yields to other work, and measures durations.
    """

    _images: IImages
    _local: INamespace
    _clock: IReactorTime
    _turns: IReactorTime
    _found: Readiness = Readiness()
    _old_at: float = float("-inf")
    _looking: Deferred[None] | None = None
    _spent: float = 0.0
    _log = Logger()

    def stopService(self) -> None:
        """End a look that is under way."""
        super().stopService()
        if self._looking is not None:
            self._looking.cancel()

    def readiness(self) -> Readiness:
        """Give what was found; see :class:`IReadinessSurvey`."""
        is_old = self._turns.seconds() >= self._old_at
        if is_old and self._looking is None and self.running:
            self._looking = looking = self._look()
            looking.addBoth(self._looked)
        return attrs.evolve(self._found, looking=self._looking is not None)

    def _looked(self, _: object) -> None:
        self._looking = None

    @background("readiness")
    @deferred
    async def _look(self) -> None:
        ready, tags, self._spent = 0, 0, 0.0
        lacking: list[Lacking] = []
        try:
            async for image in self._tags():
                tags += 1
                lacks = await self._images.lacks(image=image, platforms=())
                ready += not lacks
                if lacks and len(lacking) < MAX_LACKING:
                    lacking.append(Lacking(str(image), lacks))
                if not self._found.at and tags % _BATCH == 0:
                    # Before the first look has ended, a part of it is worth telling.
                    self._found = Readiness(ready, tags, 0.0, False, tuple(lacking))
        except CancelledError:
            return
        except Exception as error:
            # The next one who asks begins again.
            self._log.warn("readiness is not known: {error}", error=str(error))
        else:
            at = self._clock.seconds()
            self._found = Readiness(ready, tags, at, False, tuple(lacking))
        rest = min(self._spent, BURST_SECONDS) / SHARE
        self._old_at = self._turns.seconds() + max(_LEAST_AGE, rest)

    async def _tags(self) -> AsyncIterator[ImageName]:
        turns, after = Turns(self._turns, every=4), ""
        while names := await self._local.repositories(after=after, limit=_PAGE):
            after = str(names[-1])
            for name in names:
                repository = await self._local.repository(name=name)
                last = ""
                while tags := await _page(repository, last):
                    last = str(tags[-1])
                    async for tag in self._paced(tags, turns):
                        yield ImageName(name, tag)

    async def _paced(self, tags: Tags, turns: Turns) -> AsyncIterator[Tag]:
        """Give tags, a few in each turn of the reactor; wait when the burst is over."""
        began_at = self._turns.seconds()
        for number, tag in enumerate(tags, 1):
            await turns.take()
            yield tag
            if number % _BATCH == 0 or number == len(tags):
                took = self._turns.seconds() - began_at
                self._spent += took
                if self._spent > BURST_SECONDS:
                    await deferLater(self._turns, took / SHARE)
                began_at = self._turns.seconds()


@deferred
async def _page(repository: IRepository, after: str) -> Tags:
    try:
        found: Tags = await repository.tags.list(after=after, limit=_PAGE)
    except NameUnknown:
        return []  # it has gone meanwhile
    return found
