"""How many of all tags would pull with the link down."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.flow.changes import ChangeTimes
from txregistry.flow.context import background
from txregistry.flow.deferred import deferred
from txregistry.flow.sized import SizedCache, size_of
from txregistry.flow.turns import Turns
from txregistry.interfaces.images import IImages
from txregistry.interfaces.namespace import INamespace, IRepository
from txregistry.interfaces.readiness import IReadinessSurvey, Lacking, Readiness
from txregistry.interfaces.tags import Tags
from txregistry.spec.errors import NameUnknown
from txregistry.spec.imagename import ImageName
from txregistry.spec.reference import RepositoryName

#: Names and tags that are listed at once, and tags that are told of by name.
_PAGE, MAX_LACKING = 500, 100

#: Seconds after which a look is old, at least.
_LEAST_AGE = 15.0

#: Seconds of work that are done at once, as thousands of tags need. What is more takes
#: a share of a core: a larger one in the first look, before which nothing is known.
BURST_SECONDS, FIRST_SHARE, SHARE = 2.0, 0.05, 0.002

#: Bytes of memory for repositories of which nothing was lacking.
MEMORY_BYTES = 8 * 1024 * 1024

#: Seconds of work after which it is seen whether to wait.
_PIECE = 0.05


@attrs.define
class Sum:
    """What a look has counted so far."""

    ready: int = 0
    tags: int = 0
    lacking: list[Lacking] = attrs.field(factory=list)

    def add(self, image: ImageName, lacks: str) -> None:
        """Count one tag."""
        self.tags += 1
        self.ready += not lacks
        if lacks and len(self.lacking) < MAX_LACKING:
            self.lacking.append(Lacking(str(image), lacks))

    def found(self, at: float) -> Readiness:
        """Return it as a finding."""
        return Readiness(self.ready, self.tags, at, False, tuple(self.lacking))


@attrs.frozen
class Whole:
    """A repository of whose tags nothing is lacking.

    :ivar at: the time of the look, by :class:`ChangeTimes`.
    """

    at: int
    tags: int


@implementer(IReadinessSurvey)
@attrs.define(eq=False, slots=False)
class ReadinessSurvey(Service):
    """Looks at all tags while somebody asks, and not otherwise.

    :param clock: shows the time of day.
    :param turns: yields to other work, and measures durations.
    :param changes: gives those of repositories, by name; ``None`` where others change
        them as well, or time alone changes what a pull would lack.
    """

    _images: IImages
    _local: INamespace
    _clock: IReactorTime
    _turns: IReactorTime
    _changes: Callable[[], ChangeTimes | None] = lambda: None
    _found: Readiness = Readiness()
    _sum: Sum = attrs.field(factory=Sum)
    _known: SizedCache[RepositoryName, Whole] = attrs.field(
        factory=lambda: SizedCache(MEMORY_BYTES)
    )
    _old_at: float = float("-inf")
    _looking: Deferred[None] | None = None
    _spent: float = 0.0
    _began_at: float = 0.0
    _log = Logger()

    def stopService(self) -> None:
        """End a look that is under way."""
        super().stopService()
        if self._looking is not None:
            self._looking.cancel()

    def forget(self) -> None:
        """Look at all anew the next time: what may be pulled may have changed.

        A look under way ends: what it has found is of before.
        """
        if self._looking is not None:
            self._looking.cancel()
        self._known.clear()
        self._old_at = float("-inf")

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
        self._sum, self._spent, self._began_at = Sum(), 0.0, self._turns.seconds()
        try:
            await self._look_at_all()
        except CancelledError:
            return
        except Exception as error:
            # The next one who asks begins again.
            self._log.warn("readiness is not known: {error}", error=str(error))
        else:
            self._found = self._sum.found(self._clock.seconds())
        rest = min(self._spent, BURST_SECONDS) / SHARE
        self._old_at = self._turns.seconds() + max(_LEAST_AGE, rest)

    @deferred
    async def _look_at_all(self) -> None:
        turns, after = Turns(self._turns, every=4), ""
        while names := await self._local.repositories(after=after, limit=_PAGE):
            after = str(names[-1])
            for name in names:
                await turns.take()
                await self._count(name, turns)
                await self._keep_pace()

    @deferred
    async def _count(self, name: RepositoryName, turns: Turns) -> None:
        """Count the tags of a repository, unless they are known to be as they were."""
        changes, known = self._changes(), self._known.pop(name)
        at = 0 if changes is None else changes.now
        if known is None or changes is None or changes.since(known.at, str(name)):
            before = attrs.evolve(self._sum)
            await self._look_at(name, turns)
            tags = self._sum.tags - before.tags
            known = Whole(at, tags) if self._sum.ready - before.ready == tags else None
        else:
            self._sum.tags += known.tags
            self._sum.ready += known.tags
        if known is not None:
            self._known.put(name, known, size_of(str(name)))

    @deferred
    async def _look_at(self, name: RepositoryName, turns: Turns) -> None:
        repository = await self._local.repository(name=name)
        findings = await self._images.findings(name=name)
        last = ""
        while tags := await _page(repository, last):
            last = str(tags[-1])
            for tag in tags:
                await turns.take()
                image = ImageName(name, tag)
                lacks = await self._images.lacks(
                    image=image, platforms=(), findings=findings
                )
                self._sum.add(image, lacks)
                await self._keep_pace()

    @deferred
    async def _keep_pace(self) -> None:
        """Tell how far it is, and wait when the burst is over."""
        took = self._turns.seconds() - self._began_at
        if took < _PIECE:
            return
        is_first, self._spent = not self._found.at, self._spent + took
        if is_first:
            # Before the first look has ended, a part of it is worth telling.
            self._found = self._sum.found(0.0)
        if self._spent > BURST_SECONDS:
            share = FIRST_SHARE if is_first else SHARE
            await deferLater(self._turns, took / share)
        self._began_at = self._turns.seconds()


@deferred
async def _page(repository: IRepository, after: str) -> Tags:
    try:
        found: Tags = await repository.tags.list(after=after, limit=_PAGE)
    except NameUnknown:
        return []  # it has gone meanwhile
    return found
