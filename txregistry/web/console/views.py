"""What is shown, as values of JSON: pages and the API give the same."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from txregistry.flow.deferred import deferred
from txregistry.flow.turns import Turns
from txregistry.interfaces.anatomy import ImageAnatomy, Variant
from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.expiry import LedgerAway
from txregistry.interfaces.history import EventKind, HistoryAway, Span
from txregistry.interfaces.images import ImagesRefused
from txregistry.interfaces.namespace import IRepository
from txregistry.spec.digest import Digest
from txregistry.spec.errors import (
    BadRequest,
    ManifestUnknown,
    NameUnknown,
    NotFound,
    Unavailable,
)
from txregistry.spec.imagename import ImageName
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.spec.upstreams import UpstreamTable
from txregistry.spec.values import as_values
from txregistry.web.console.comparison import differences, paired
from txregistry.web.console.sources import Sources, Values

#: Names of one page, and tags of one page, each of which is looked into.
PAGE, TAGS_PAGE = 100, 25

#: Names that are looked through for one page of a search, and within one turn.
SEARCHED, AT_ONCE = 20_000, 500

#: Events of one page, candidates that would go next, and downloads that are told of.
EVENTS, CANDIDATES, DOWNLOADS = 75, 10, 30

#: Digests that a tag has stood for, of one page.
EARLIER = 20


@attrs.frozen
class Views:
    """Gathers what is shown."""

    _sources: Sources

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
        repository = await self._repository(name)
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
            return {"tag": str(tag), "image": await self._explained(image)}
        except ManifestUnknown:
            return {"tag": str(tag), "image": None}  # it has gone meanwhile

    @deferred
    async def image(self, text: str) -> Values:
        """Fire with all about one image; fail with ``NotFound`` if it is not here."""
        image = self._named(text)
        explained = await self._explained(image)
        if explained is None or not explained["digest"]:
            raise NotFound({"image": text, "reason": "nothing of it is here"})
        anatomy = await self._dissect(image, explained["digest"])
        return {
            "image": explained,
            "anatomy": as_values(anatomy),
            "sizes": [variant.size for variant in anatomy.variants],
            "pull": self._pull_commands(image),
            "earlier": await self._earlier(image, anatomy.digest),
        }

    @deferred
    async def _earlier(self, image: ImageName, now: str) -> list[str]:
        """Fire with what the tag has stood for, and is still stored."""
        found: list[str] = []
        if image.tag is None:
            return found
        repository = await self._repository(str(image.repository))
        async for digest in self._sources.earlier(image.repository, image.tag):
            is_other = str(digest) != now and len(found) < EARLIER
            if is_other and await repository.manifests.exists(digest=digest):
                found.append(str(digest))
        return sorted(found)

    @deferred
    async def compare(self, text: str, other: str) -> Values:
        """Fire with what differs between two images, variant by variant."""
        both = []
        for wanted in (text, other):
            image = self._named(wanted)
            explained = await self._explained(image)
            if explained is None or not explained["digest"]:
                raise NotFound({"image": wanted})
            both.append(await self._dissect(image, explained["digest"]))
        old, new = both
        return {
            "from": old.digest,
            "to": new.digest,
            "variants": [
                differences(before, after)
                for before, after in paired(old.variants, new.variants)
            ],
        }

    @deferred
    async def _dissect(self, image: ImageName, digest: str) -> ImageAnatomy:
        top = image.digest or Digest.parse(digest)
        return await self._sources.anatomist.dissect(name=image.repository, top=top)

    def _named(self, text: str) -> ImageName:
        cache = self._sources.cache
        try:
            if cache is not None:
                return cache.images.named(text)
            return ImageName.parse(text, UpstreamTable())
        except (ImagesRefused, ValueError) as error:
            raise BadRequest({"image": str(error)}) from error

    @deferred
    async def _explained(self, image: ImageName) -> Values | None:
        """Fire with what is here of an image; of a registry that is all of it."""
        cache = self._sources.cache
        if cache is not None:
            report = await cache.images.explain(image=image)
            size = max((item.bytes for item in report.platforms), default=0)
            made_at = await self._made_at(image, report.digest)
            return as_values(report) | {"size": size, "made_at": made_at}
        repository = await self._repository(str(image.repository))
        digest = image.digest
        if digest is None:
            assert image.tag is not None
            digest = (await repository.tags.get(tag=image.tag)).digest
        anatomy = await self._sources.anatomist.dissect(
            name=image.repository, top=digest
        )
        return {
            "image": str(image),
            "digest": str(digest),
            "size": max((variant.size for variant in anatomy.variants), default=0),
            "platforms": [_platform(variant) for variant in anatomy.variants],
            "made_at": anatomy.made_at,
        }

    @deferred
    async def _made_at(self, image: ImageName, digest: str) -> float | None:
        if not digest:
            return None
        top = Digest.parse(digest)
        return await self._sources.anatomist.made_at(name=image.repository, top=top)

    @deferred
    async def _repository(self, name: str) -> IRepository:
        parsed = RepositoryName.parse(name)
        repository: IRepository = await self._sources.local.repository(name=parsed)
        return repository

    def _pull_commands(self, image: ImageName) -> list[str]:
        name = f"{self._sources.host()}/{image}"
        return [
            f"docker pull {name}",
            f"podman pull {name}",
            f"crane manifest {name}",
            f"skopeo inspect docker://{name}",
        ]


def kinds_named(kinds: Sequence[str]) -> frozenset[EventKind]:
    """Return kinds of events.

    :raise BadRequest: one of them is none.
    """
    try:
        return frozenset(map(EventKind, kinds))
    except ValueError as error:
        raise BadRequest({"kind": [each.value for each in EventKind]}) from error


def _platform(variant: Variant) -> Values:
    missing = [layer.digest for layer in variant.layers if not layer.is_here]
    return {
        "platform": variant.platform,
        "digest": variant.digest,
        "bytes": variant.size,
        "missing": missing,
    }
