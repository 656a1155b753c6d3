"""What is shown, as values of JSON: pages and the API give the same."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from txregistry.flow.deferred import deferred
from txregistry.flow.turns import Turns
from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.expiry import LedgerAway
from txregistry.interfaces.history import EventKind, HistoryAway, Span
from txregistry.interfaces.namespace import IRepository
from txregistry.spec.errors import (
    BadRequest,
    ManifestUnknown,
    NameUnknown,
    NotFound,
    Unavailable,
)
from txregistry.spec.imagename import ImageName
from txregistry.spec.reference import Tag
from txregistry.spec.values import as_values
from txregistry.web.console.image_views import ImageViews
from txregistry.web.console.sources import Sources, Values

#: Names of one page, and tags of one page, each of which is looked into.
PAGE, TAGS_PAGE = 100, 25

#: Names that are looked through for one page of a search, and within one turn.
SEARCHED, AT_ONCE = 20_000, 500

#: Events of one page, candidates that would go next, and downloads that are told of.
EVENTS, CANDIDATES, DOWNLOADS = 75, 5, 20


@attrs.frozen
class Views:
    """Gathers what is shown.

    :ivar images: gathers it of images.
    """

    _sources: Sources
    images: ImageViews = attrs.field(
        init=False, default=attrs.Factory(lambda self: ImageViews(self._sources), True)
    )

    @deferred
    async def overview(self) -> Values:
        """Fire with how the daemon is now."""
        cache = self._sources.cache
        problems = dict(await self._sources.problems())
        found: Values = {"at": self._sources.clock.seconds(), "problems": problems}
        if cache is None:
            return found | {"cache": None}
        glance = cache.overlook.glance()
        shown = attrs.evolve(glance, downloads=glance.downloads[:DOWNLOADS])
        overview = as_values(shown) | {"downloads_number": len(glance.downloads)}
        overview["readiness"] = as_values(cache.readiness.readiness())
        try:
            preview = await cache.room.preview(number=CANDIDATES)
        except (DriverError, LedgerAway) as error:
            # What is known of the rest is worth more then than ever.
            problems["disk"] = str(error) or type(error).__name__
            overview["disk"] = None
        else:
            overview["disk"] = as_values(preview)
        return found | {"cache": overview}

    @deferred
    async def history(self, span: str) -> Values:
        """Fire with the samples of a span; fail with ``BadRequest`` for none."""
        try:
            wanted = Span(span)
        except ValueError as error:
            raise BadRequest({"span": [each.value for each in Span]}) from error
        try:
            samples = await self._sources.history.samples(span=wanted)
        except HistoryAway as error:
            raise Unavailable({"reason": str(error)}) from error
        return {
            "span": wanted.value,
            "step": wanted.step,
            "samples": [attrs.asdict(sample) for sample in samples],
        }

    def activity(self, kinds: Sequence[str], text: str, before: int = 0) -> Values:
        """Return a page of the newest events, and where the next one begins.

        :param before: events with a smaller number; 0 for all.
        :raise BadRequest: one of the kinds is none.
        """
        wanted = kinds_named(kinds)
        found = self._sources.activity.events(
            kinds=wanted, text=text, limit=EVENTS, before=before
        )
        older = found[-1].number if len(found) == EVENTS else 0
        return {"events": [as_values(event) for event in found], "older": older}

    def latest_event(self) -> int:
        """Return the number of the newest event, which tells whether to look."""
        return self._sources.activity.latest()

    @deferred
    async def pins(self) -> Values:
        """Fire with the patterns of pinned images; none for a registry."""
        cache = self._sources.cache
        patterns = [] if cache is None else await cache.pins.patterns()
        return {"patterns": list(patterns)}

    @deferred
    async def repositories(self, text: str, after: str) -> Values:
        """Fire with a page of names that contain a text, and where the next begins."""
        turns, text = Turns(self._sources.clock, every=1), text.lower()
        found: list[str] = []
        seen = 0
        while len(found) < PAGE and seen < SEARCHED:
            names = await self._sources.local.repositories(after=after, limit=AT_ONCE)
            if not names:
                return {"repositories": found, "next": ""}
            seen += len(names)
            for name in map(str, names):
                after = name
                if text in name:
                    found.append(name)
                if len(found) == PAGE:
                    break
            await turns.take()
        return {"repositories": found, "next": after}

    @deferred
    async def tags(self, name: str, after: str) -> Values:
        """Fire with a page of a repository's tags, and what is here of each.

        Fails with ``NotFound`` if it has none.
        """
        repository = await self.images.repository(name)
        try:
            tags = await repository.tags.list(after=after, limit=TAGS_PAGE)
        except NameUnknown as error:
            raise NotFound({"repository": name}) from error
        turns, found = Turns(self._sources.clock, every=1), []
        for tag in tags:
            await turns.take()
            found.append(await self._tag(repository, tag))
        return {
            "repository": name,
            "tags": found,
            "next": str(tags[-1]) if len(tags) == TAGS_PAGE else "",
        }

    @deferred
    async def _tag(self, repository: IRepository, tag: Tag) -> Values:
        image = ImageName(repository.name, tag)
        try:
            return {"tag": str(tag), "image": await self.images.explained(image)}
        except ManifestUnknown:
            return {"tag": str(tag), "image": None}  # it has gone meanwhile


def kinds_named(kinds: Sequence[str]) -> frozenset[EventKind]:
    """Return kinds of events.

    :raise BadRequest: one of them is none.
    """
    try:
        return frozenset(map(EventKind, kinds))
    except ValueError as error:
        raise BadRequest({"kind": [each.value for each in EventKind]}) from error
