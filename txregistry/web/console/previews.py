"""What an action would do, in words and numbers: nothing is changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import attrs

from txregistry.flow.deferred import deferred
from txregistry.interfaces.commands import CommandRefused
from txregistry.interfaces.images import IImages, ImageReport, ImagesRefused
from txregistry.spec.errors import BadRequest, NotFound
from txregistry.spec.imagename import ImageName
from txregistry.spec.images import ImagePattern
from txregistry.spec.platforms import WantedPlatform
from txregistry.web.console.sources import CacheSources, Sources
from txregistry.web.console.words import count_of, size_of

#: Images that one action is about, at most.
MAX_IMAGES = 100

#: Actions whose dry run looks at all that they would do, with progress; they have one.
_LONG = frozenset({"collect"})

#: Lines of what an action would do.
Says = list[str]


@attrs.frozen
class Previews:
    """The dry runs of all actions."""

    _sources: Sources

    def as_job(
        self, action: str, options: Mapping[str, Any], is_dry: bool
    ) -> Mapping[str, Any] | None:
        """Return the options of an action that is to be begun.

        :return: ``None`` for a dry run that is no work, and is said at once.
        :raise BadRequest: the options ask for a dry run that the action does not have
            there: it would be done.
        """
        if "dry_run" in options and action not in _LONG:
            raise BadRequest({"dry_run": "it stands beside the options"})
        if not is_dry:
            return options
        return {**options, "dry_run": True} if action in _LONG else None

    @deferred
    async def says(self, action: str, options: Mapping[str, Any]) -> Says:
        """Fire with what an action would do, in lines of words.

        Fails with ``CommandRefused`` if it could not begin, or as its command does.
        """
        if action not in self._sources.commands:
            raise NotFound({"action": action})
        try:
            return await self._says(action, options)
        except (TypeError, ValueError) as error:
            raise CommandRefused(f"{action}: {error}") from error

    @deferred
    async def _says(self, action: str, options: Mapping[str, Any]) -> Says:
        if action == "verify":
            return await self._verify()
        cache, ways = self._sources.cache, _WAYS.get(action)
        if cache is None or ways is None:
            raise CommandRefused(
                f"{action}: there is nothing to tell before it is done"
            )
        return await ways(cache, options)

    @deferred
    async def _verify(self) -> Says:
        cache = self._sources.cache
        much = "all that is stored"
        if cache is not None:
            usage = (await cache.room.preview(number=1)).usage
            much += f", {size_of(usage.stored)}"
        return [f"reads {much}; sets aside what does not match its digest"]


def named(images: IImages, options: Mapping[str, Any]) -> Sequence[ImageName]:
    """Return the images that an action is about.

    :raise CommandRefused: one is no image, or there is none, or there are too many.
    """
    texts = options.get("images")
    if not isinstance(texts, list) or not 0 < len(texts) <= MAX_IMAGES:
        raise CommandRefused(f"images: expected a list of 1 to {MAX_IMAGES}")
    try:
        return [images.named(str(text)) for text in texts]
    except ImagesRefused as error:
        raise CommandRefused(str(error)) from error


async def _warm(cache: CacheSources, options: Mapping[str, Any]) -> Says:
    wanted = [str(text) for text in options.get("platforms") or ()]
    for text in wanted:
        WantedPlatform.parse(text)
    says = [f"of several platforms only {', '.join(wanted)}"] if wanted else []
    for image in named(cache.images, options):
        report = await cache.images.explain(image=image)
        says.append(f"{report.image}: {_warming(report)}")
    return says


def _warming(report: ImageReport) -> str:
    if not report.digest:
        return f"asks {report.upstream} and fetches all of it"
    missing = {digest for item in report.platforms for digest in item.missing}
    if not missing:
        return f"asks {report.upstream} whether the tag has moved; all of it is here"
    # What a manifest names that is missing as well is not known.
    parts = count_of(len(missing), "part")
    return f"asks {report.upstream} and fetches at least {parts}"


async def _refresh(cache: CacheSources, options: Mapping[str, Any]) -> Says:
    says = []
    for image in named(cache.images, options):
        report = await cache.images.explain(image=image)
        now = f"it is {report.digest}" if report.digest else "nothing of it is here"
        says.append(
            f"{report.image}: asks {report.upstream} what the tag stands for; now {now}"
        )
    return says


async def _purge(cache: CacheSources, options: Mapping[str, Any]) -> Says:
    says = [
        f"removes all that is cached of {name}"
        for kind in ("repositories", "upstreams")
        for name in options.get(kind) or ()
    ]
    if says:
        return says
    for image in named(cache.images, options):
        try:
            gone = await cache.images.preview_purge(image=image)
        except ImagesRefused as error:
            raise CommandRefused(str(error)) from error
        says.append(
            f"{image}: removes {count_of(gone.tags, 'tag')},"
            f" {count_of(gone.manifests, 'manifest')} and"
            f" {count_of(gone.blobs, 'blob')} that nothing else needs"
        )
    return says


async def _pattern(cache: CacheSources, options: Mapping[str, Any]) -> tuple[str, bool]:
    """Return the pattern of an action, and whether it is pinned."""
    pattern = str(options.get("pattern") or "")
    ImagePattern.parse(pattern)
    return pattern, pattern in await cache.pins.patterns()


async def _pin(cache: CacheSources, options: Mapping[str, Any]) -> Says:
    pattern, is_there = await _pattern(cache, options)
    return [
        f"{pattern} is pinned already; nothing changes"
        if is_there
        else f"keeps all images that {pattern} names, whatever room is needed"
    ]


async def _unpin(cache: CacheSources, options: Mapping[str, Any]) -> Says:
    pattern, is_there = await _pattern(cache, options)
    return [
        f"the images that {pattern} names may go when room is needed"
        if is_there
        else f"{pattern} is not pinned; nothing changes"
    ]


async def _offline(cache: CacheSources, options: Mapping[str, Any]) -> Says:
    wanted = bool(options.get("on"))
    if wanted == cache.offline.is_on:
        return ["nothing changes"]
    if not wanted:
        return ["upstreams are asked again"]
    upstreams = len(cache.overlook.glance().upstreams)
    found = cache.readiness.readiness()
    return [
        f"asks none of {count_of(upstreams, 'upstream')}; downloads under way end",
        f"{found.ready} of {count_of(found.tags, 'tag')} would pull"
        if found.at
        else "how many tags would pull is not known yet",
    ]


_WAYS: dict[str, Callable[[CacheSources, Mapping[str, Any]], Awaitable[Says]]] = {
    "warm": _warm,
    "refresh": _refresh,
    "purge": _purge,
    "pin": _pin,
    "unpin": _unpin,
    "offline": _offline,
}
